"""The LiteRT interpreter of a file, and its named inputs and outputs."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from keras_kd.deployment.opening.tflite_trial import NOT_RUN, load, make_interpreter
from keras_kd.deployment.opening.trials import trials
from keras_kd.deployment.tensor_details import TensorDetails
from keras_kd.descriptors import reserve_standard_descriptors
from keras_kd.files import check_regular
from keras_kd.messages import printable

_STDERR_LOCK = threading.Lock()

Details: TypeAlias = Mapping[str, Any]  # what the interpreter tells about a tensor


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


def read_signature(interpreter: Interpreter, name: str | None) -> Signature:
    """Read the names, shapes and types of inputs and outputs, in the order of the file.

    Args:
        interpreter: the interpreter.
        name: the signature of its first graph, which it runs; `None` without one.
    """
    listed, returned = interpreter.get_input_details(), interpreter.get_output_details()
    if name is not None:
        runner = interpreter.get_signature_runner(name)
        inputs, outputs = runner.get_input_details(), runner.get_output_details()
    else:
        inputs = {detail["name"]: detail for detail in listed}
        outputs = {detail["name"]: detail for detail in returned}
    inputs, outputs = _in_order(inputs, listed), _in_order(outputs, returned)
    return Signature(_tensors(inputs), _tensors(outputs), _indices(inputs), _indices(outputs))


def _in_order(details: Mapping[str, Details], listed: Sequence[Details]) -> dict[str, Details]:
    left = sorted(
        details, key=_natural
    )  # one tensor may have several names, and then be listed several times
    names: list[str] = []
    for entry in listed:
        found = [name for name in left if details[name]["index"] == entry["index"]]
        names += found[:1]
        left = [name for name in left if name not in names]
    return {name: details[name] for name in [*names, *left]}


def _natural(name: str) -> tuple[str, int]:
    # "output_10" comes after "output_9".
    stem, _, number = name.rpartition("_")
    return (stem, int(number)) if number.isdecimal() else (name, -1)


def _indices(details: Mapping[str, Details]) -> dict[str, int]:
    return {name: int(detail["index"]) for name, detail in details.items()}


def _tensors(details: Mapping[str, Details]) -> tuple[TensorDetails, ...]:
    return tuple(_tensor(index, name, detail) for index, (name, detail) in enumerate(details.items()))


def _tensor(index: int, name: str, detail: Details) -> TensorDetails:
    shape = detail["shape_signature"] if len(detail["shape_signature"]) else detail["shape"]
    scale, zero_point = detail["quantization"]
    return TensorDetails(
        name=name,
        shape=tuple(None if size == -1 else int(size) for size in shape),
        dtype=np.dtype(detail["dtype"]).name,
        scale=float(scale),
        zero_point=int(zero_point),
        index=index,
    )


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Suppress the INFO lines that C++ code writes to stderr; pass everything else on at the end."""
    reserve_standard_descriptors()
    if sys.__stderr__ is None:  # it was closed when Python started: whatever is open in its place is not ours
        yield
        return
    with _STDERR_LOCK, tempfile.TemporaryFile() as held:
        _flush_stderr()
        original = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(original, 2)
            held.seek(0)
            _pass_on(held, original)
            os.close(original)


def _flush_stderr() -> None:
    # It may be closed, or its reader gone: what it holds is lost either way, and no reason to fail.
    with contextlib.suppress(OSError, ValueError):
        if sys.stderr is not None:
            sys.stderr.flush()


def _pass_on(lines: Iterable[bytes], descriptor: int) -> None:
    with contextlib.suppress(OSError):  # likewise
        for line in lines:
            if not line.startswith(b"INFO: "):
                # Names of tensors are in these lines.
                os.write(descriptor, printable(line.decode(errors="backslashreplace")).encode())
