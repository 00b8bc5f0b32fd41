"""The LiteRT interpreter of a file, and its named inputs and outputs."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from keras_kd.deployment.tensor_details import TensorDetails
from keras_kd.deployment.tflite_trial import NOT_RUN, load, make_interpreter
from keras_kd.deployment.trials import trials
from keras_kd.files import check_regular

_STDERR_LOCK = threading.Lock()


class Signature(NamedTuple):
    """Inputs and outputs of a file, and the indices that its interpreter has for them."""

    inputs: tuple[TensorDetails, ...]
    outputs: tuple[TensorDetails, ...]
    input_indices: dict[str, int]
    output_indices: dict[str, int]


def open_interpreter(path: Path, threads: int) -> Interpreter:
    """Open a file without allocating its tensors, once it has proved harmless in a child process.

    Raises:
        FileNotFoundError: if there is no such file.
        IsADirectoryError: if it is a folder.
        OSError: if it is a pipe or a device, or is being written.
        TimeoutError: if the child process takes too long.
        ValueError: if it is not a complete TensorFlow Lite file, or a damaged one.
    """
    check_regular(path, "a .tflite file")
    content, digest = load(path)
    if content[4:8] != b"TFL3":
        raise ValueError(f"{str(path)!r} is not a TensorFlow Lite file: bytes 4 to 8 should be TFL3.")
    fault = trials.fault_of(path, digest)
    if fault is not None and fault.startswith(NOT_RUN):
        raise ValueError(f"{str(path)!r} {fault}")
    if fault is not None:
        raise ValueError(
            f"{str(path)!r} is damaged: {fault}. Export the model again, or copy the file again."
        )
    with quiet_stderr():
        try:
            return make_interpreter(path, content, threads)
        except ValueError as error:
            raise ValueError(f"{str(path)!r} is not a complete TensorFlow Lite file: {error}") from error


def read_signature(interpreter: Interpreter) -> Signature:
    """Read the names, shapes and types of inputs and outputs, in natural order of their names."""
    signatures = interpreter.get_signature_list()
    if signatures:
        key = "serving_default" if "serving_default" in signatures else next(iter(signatures))
        runner = interpreter.get_signature_runner(key)
        inputs, outputs = runner.get_input_details(), runner.get_output_details()
    else:
        inputs = {detail["name"]: detail for detail in interpreter.get_input_details()}
        outputs = {detail["name"]: detail for detail in interpreter.get_output_details()}
    return Signature(_tensors(inputs), _tensors(outputs), _indices(inputs), _indices(outputs))


def _indices(details: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    return {name: int(detail["index"]) for name, detail in details.items()}


def _tensors(details: Mapping[str, Mapping[str, Any]]) -> tuple[TensorDetails, ...]:
    return tuple(_tensor(name, details[name]) for name in sorted(details, key=_natural))


def _natural(name: str) -> tuple[str, int]:
    # "output_10" comes after "output_9".
    stem, _, number = name.rpartition("_")
    return (stem, int(number)) if number.isdecimal() else (name, -1)


def _tensor(name: str, detail: Mapping[str, Any]) -> TensorDetails:
    shape = detail["shape_signature"] if len(detail["shape_signature"]) else detail["shape"]
    scale, zero_point = detail["quantization"]
    return TensorDetails(
        name=name,
        shape=tuple(None if size == -1 else int(size) for size in shape),
        dtype=np.dtype(detail["dtype"]).name,
        scale=float(scale),
        zero_point=int(zero_point),
    )


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Suppress the INFO lines that C++ code writes to stderr; pass everything else on at the end."""
    with _STDERR_LOCK, tempfile.TemporaryFile() as held:
        sys.stderr.flush()
        original = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(original, 2)
            held.seek(0)
            for line in held:
                if not line.startswith(b"INFO: "):
                    os.write(original, line)
            os.close(original)
