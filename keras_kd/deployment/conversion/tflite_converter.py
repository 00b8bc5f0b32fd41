"""The program of the converter process: SavedModel -> `.tflite` -> run once.

`converter_process.py` starts it, with garbage collection off. It reads one `Request` per line and answers
each with one line. The parent never imports it.
"""

from __future__ import annotations

import contextlib
import gc
import os
import queue
import re
import shutil
import signal
import sys
import threading
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from keras_kd.deployment.conversion.request import Answer, Converted, Failure, Request, answer_to_json
from keras_kd.deployment.interface import write_interface
from keras_kd.deployment.litemodel import LiteModel
from keras_kd.deployment.opening.flatbuffer import Contents
from keras_kd.deployment.opening.trials import trials
from keras_kd.deployment.quantizations import FLOAT32


def answer(request: Request) -> Answer:
    """Convert one model and run its file.

    Errors are returned as answers, never raised.
    """
    with np.load(request.samples) as stored:
        samples = dict(stored)
    try:
        content = _convert(request, samples)
    except Exception as error:  # the converter may throw anything
        return Failure("convert", reason(str(error) or repr(error)))
    if request.interface is not None:
        content = write_interface(content, request.interface, request.made_from)
    request.file.write_bytes(content)
    if Contents.read(request.file).flex_operators:
        return Converted(ran=False)
    try:
        outputs = _run(request, {name: array[: request.compared] for name, array in samples.items()})
    except ValueError as error:
        return Failure("run", reason(str(error.__cause__ or error)))
    np.savez(request.outputs, **outputs)  # type: ignore[arg-type]
    return Converted(ran=True)


def _run(request: Request, samples: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    trials.remember_good(request.file)  # this process is the one that may end over it
    model = LiteModel(request.file)
    # One sample alone, then several at once: files have failed with either.
    parts = [
        model.predict_by_name({name: array[rows] for name, array in samples.items()})
        for rows in (slice(0, 1), slice(1, None))
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _convert(request: Request, samples: dict[str, np.ndarray]) -> bytes:
    *first, last = operator_sets(request)
    for operators in first:
        try:
            return _converter(request, samples, operators).convert()
        except Exception as error:  # the next set has more kernels
            print(error, file=sys.stderr)
    return _converter(request, samples, last).convert()


def operator_sets(request: Request) -> list[tuple[str, ...]]:
    """The names of the operator sets to convert with, in the order in which they are tried."""
    # Given integer operators alone, the converter demands samples even if it needs none.
    source = FLOAT32 if request.has_ranges else request.quantization
    sets = list(source.operator_sets)
    return [(*sets[-1], "SELECT_TF_OPS")] if request.allow_flex else sets


def _converter(
    request: Request, samples: dict[str, np.ndarray], operators: tuple[str, ...]
) -> tf.lite.TFLiteConverter:
    quantization = request.quantization
    converter = tf.lite.TFLiteConverter.from_saved_model(str(request.saved_model))
    converter.target_spec.supported_ops = [tf.lite.OpsSet[name] for name in operators]
    optimizations = [*quantization.optimizations, *(["EXPERIMENTAL_SPARSITY"] if request.sparse else [])]
    converter.optimizations = [tf.lite.Optimize[name] for name in optimizations]
    converter.target_spec.supported_types = [tf.as_dtype(name) for name in quantization.weight_types]
    if quantization.integer_activations:
        if not request.has_ranges:
            converter.representative_dataset = lambda: _batches(samples, request.batch_size or 1)
        converter.inference_input_type = tf.as_dtype(request.io)
        converter.inference_output_type = tf.as_dtype(request.io)
    return converter


def _batches(samples: dict[str, np.ndarray], size: int) -> Iterator[dict[str, np.ndarray]]:
    rows = len(next(iter(samples.values())))
    for start in range(0, rows, size):
        # Wraps around at the end, so that a fixed batch is always full.
        picked = np.arange(start, start + size) % rows
        # A SavedModel numbers its inputs.
        yield {f"input_{i}": array[picked] for i, array in enumerate(samples.values())}


def reason(text: str) -> str:
    """Reduce the converter's message to one line: the operators it names, or its first error."""
    missing = [
        f"{library} does not have these operators: {listed[1].strip()}"
        for label, library in (
            ("TF Select", "TensorFlow Lite"),
            ("Custom", "TensorFlow Lite, even with Flex,"),
        )
        if (listed := re.search(rf"{label} ops: ([^\n]+)", text))
    ]
    if missing:
        return "; ".join(missing)
    errors = [line.split("error:", 1)[1] for line in text.splitlines() if "error:" in line]
    errors = [re.sub(r"^\s*loc\(.*?\):\s*", "", line) for line in errors if "callsite" not in line] or errors
    text = re.sub(r"\.Node number", "; node number", text)
    line = errors[0] if errors else next((line for line in text.splitlines() if line.strip()), text)
    return " ".join(line.split())[:400]


def main() -> None:  # pragma: no cover, it runs in the child that the tests of converter_process.py start
    """Answer requests until stdin ends."""
    # Only answers may reach the parent's pipe: all other output goes to stderr.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    requests: queue.Queue[str] = queue.Queue()
    # The system sends it to a stopped child whose parent is gone, and then wakes the child up.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    listener = threading.Thread(target=_listen, args=(requests, sys.argv[1]), daemon=True)
    listener.start()
    _freeze_imports()
    try:
        while True:
            request = Request.from_json(requests.get())
            print(answer_to_json(answer(request)), file=answers, flush=True)
    except OSError:
        listener.join(10)  # of a parent that is gone, and of a folder that is being removed
        raise


def _freeze_imports() -> None:  # pragma: no cover, likewise
    """Have Python's garbage collection, which is on from here, pass over what imports have left, for good.

    `TFLiteConverter` collects garbage in each conversion, which took two thirds of the time of a small one.
    """
    _ = tf.lite.TFLiteConverter  # its first use imports it
    gc.freeze()
    gc.enable()


def _listen(requests: queue.Queue[str], folder: str) -> None:  # pragma: no cover, likewise
    for line in sys.stdin:
        requests.put(line)
    # The parent is gone: exit at once, even in the middle of a conversion, and leave nothing behind.
    remove(folder)
    os._exit(0)


def remove(folder: str) -> None:
    """Remove a folder that another thread may be writing to, if it is there."""
    aside = f"{folder}_removed"
    # Under its own name it could receive one more file than were listed, and stay.
    with contextlib.suppress(FileNotFoundError):
        os.rename(folder, aside)
    shutil.rmtree(aside, ignore_errors=True)
