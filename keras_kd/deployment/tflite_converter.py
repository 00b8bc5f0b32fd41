"""The program of the child process: SavedModel -> `.tflite` -> run once.

It is started by `converter.py` as `python -m keras_kd.deployment.tflite_converter`, reads one JSON
request a line and answers with one JSON line. The parent never imports it.
"""

from __future__ import annotations

import json
import os
import queue
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from keras_kd.deployment.flatbuffer import Contents
from keras_kd.deployment.litemodel import LiteModel

_INT8 = tf.lite.OpsSet.TFLITE_BUILTINS_INT8
_INT16X8 = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
_FLOAT = tf.lite.OpsSet.TFLITE_BUILTINS


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Convert and run one model.

    Args:
        request: `saved_model`, `samples` (an `.npz`), `file` and `outputs` are paths; `quantization`,
            `io`, `batch_size`, `sparse`, `allow_flex` are as in `export`; `has_ranges` tells that the model
            is quantization aware; `compared` samples are run.

    Returns:
        `{"ran": bool}`, or `{"failed": stage, "reason": text}` where the stage is `"convert"` or `"run"`.
    """
    with np.load(request["samples"]) as stored:
        samples = dict(stored)
    try:
        content = _convert(request, samples)
    except Exception as error:  # whatever the converter throws is the answer
        return {"failed": "convert", "reason": reason(str(error) or repr(error))}
    Path(request["file"]).write_bytes(content)
    if Contents.read(request["file"]).flex_operators:
        return {"ran": False}
    try:
        outputs = _run(request["file"], {name: a[: request["compared"]] for name, a in samples.items()})
    except ValueError as error:
        return {"failed": "run", "reason": reason(str(error.__cause__ or error))}
    np.savez(request["outputs"], **outputs)  # type: ignore[arg-type]
    return {"ran": True}


def _run(file: str, samples: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    model = LiteModel(file)
    # One sample alone, then several at once: files have failed at either.
    parts = [
        model.predict_by_name({name: array[rows] for name, array in samples.items()})
        for rows in (slice(0, 1), slice(1, None))
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _convert(request: dict[str, Any], samples: dict[str, np.ndarray]) -> bytes:
    choices = {"int8": [[_INT8], [_FLOAT, _INT8]], "int16x8": [[_INT16X8], [_FLOAT, _INT16X8]]}
    # Asked for integer operators only, the converter wants samples even where it needs none.
    choices_here = [[_FLOAT]] if request["has_ranges"] else choices.get(request["quantization"], [[_FLOAT]])
    if request["allow_flex"]:
        choices_here = [[*choices_here[-1], tf.lite.OpsSet.SELECT_TF_OPS]]
    for operators in choices_here[:-1]:
        try:
            return _converter(request, samples, operators).convert()
        except Exception as error:  # the next choice leaves in float what has no integer kernel
            print(error, file=sys.stderr)
    return _converter(request, samples, choices_here[-1]).convert()


def _converter(request: dict[str, Any], samples: dict[str, np.ndarray], operators: list[Any]) -> Any:
    converter = tf.lite.TFLiteConverter.from_saved_model(request["saved_model"])
    converter.target_spec.supported_ops = operators
    quantization = request["quantization"]
    if quantization is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if request["sparse"]:
        converter.optimizations = [*converter.optimizations, tf.lite.Optimize.EXPERIMENTAL_SPARSITY]
    if quantization == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if quantization in ("int8", "int16x8"):
        if not request["has_ranges"]:
            converter.representative_dataset = lambda: _batches(samples, request["batch_size"] or 1)
        converter.inference_input_type = tf.as_dtype(request["io"])
        converter.inference_output_type = tf.as_dtype(request["io"])
    return converter


def _batches(samples: dict[str, np.ndarray], size: int) -> Iterator[dict[str, np.ndarray]]:
    rows = len(next(iter(samples.values())))
    for start in range(0, rows, size):
        # Wraps round at the end, so that a fixed batch is always full.
        picked = np.arange(start, start + size) % rows
        yield {name: array[picked] for name, array in samples.items()}


def reason(text: str) -> str:
    """Boil the converter's message down to one line: the operators it names, or its first error."""
    missing = [
        f"{who} does not have these operators: {found[1].strip()}"
        for label, who in (("TF Select", "TensorFlow Lite"), ("Custom", "TensorFlow Lite, even with Flex,"))
        if (found := re.search(rf"{label} ops: ([^\n]+)", text))
    ]
    if missing:
        return "; ".join(missing)
    errors = [line.split("error:", 1)[1] for line in text.splitlines() if "error:" in line]
    errors = [re.sub(r"^\s*loc\(.*?\):\s*", "", line) for line in errors if "callsite" not in line] or errors
    text = re.sub(r"\.Node number", "; node number", text)
    line = errors[0] if errors else next((line for line in text.splitlines() if line.strip()), text)
    return " ".join(line.split())[:400]


def main() -> None:  # pragma: no cover, it runs in the child that the tests of converter.py start
    """Answer requests until stdin ends."""
    # Only answers may reach the parent's pipe: all other output goes to stderr.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    requests: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_listen, args=(requests,), daemon=True).start()
    while True:
        print(json.dumps(answer(json.loads(requests.get()))), file=answers, flush=True)


def _listen(requests: queue.Queue[str]) -> None:  # pragma: no cover, likewise
    for line in sys.stdin:
        requests.put(line)
    # The parent has gone: end at once, even in the middle of a conversion.
    os._exit(0)


if __name__ == "__main__":  # pragma: no cover, likewise
    main()
