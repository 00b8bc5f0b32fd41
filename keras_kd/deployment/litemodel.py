"""A `.tflite` file as something that predicts."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from keras_kd.deployment.tensors import Tensor, arrays_by_name

_STDERR_LOCK = threading.Lock()


class LiteModel:
    """Runs a `.tflite` file with the LiteRT interpreter.

    Quantized inputs and outputs are quantized and dequantized, so that values go in and
    come out in the units of the Keras model. Files with a fixed batch run chunk by chunk. The state
    of recurrent operators is reset before each chunk.

    A model that takes a list has inputs named `input_0`, `input_1`, ... in its file, in that order.

    Args:
        path: the file.
        threads: CPU threads that the interpreter may use.

    Attributes:
        inputs: the inputs, as `Tensor`s (name, shape, dtype, scale, zero point).
        outputs: the outputs, likewise.
        batch_size: the fixed batch, or `None` where the batch is free.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is not a whole TensorFlow Lite file, or the interpreter cannot run it.

    Examples:
        >>> import keras, numpy as np, tempfile
        >>> from keras_kd.deployment.tflite import export
        >>> from keras_kd.deployment.litemodel import LiteModel
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
        >>> folder = tempfile.TemporaryDirectory()
        >>> exported = export(model, f"{folder.name}/model.tflite")
        >>> LiteModel(exported.path).predict(np.ones((3, 4), "float32")).shape
        (3, 2)
        >>> folder.cleanup()
    """

    def __init__(self, path: str | os.PathLike[str], *, threads: int = 1) -> None:
        if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
            raise ValueError(f"threads must be a whole number of 1 or more; received {threads!r}.")
        self.path = Path(path)
        self.threads = threads
        self._lock = threading.Lock()
        self._interpreter = _open(self.path, threads)
        self.inputs, self._input_indices, self.outputs, self._output_indices = _signature(self._interpreter)
        sizes = {tensor.shape[0] for tensor in self.inputs if tensor.shape}
        self.batch_size: int | None = max((size for size in sizes if size is not None), default=None)
        self._shapes: dict[str, tuple[int, ...]] = {}
        # An image of any size is a single pixel until it is known, which few operators can take.
        if all(None not in tensor.shape[1:] for tensor in self.inputs):
            self._allocate()

    def __repr__(self) -> str:
        return f"LiteModel({str(self.path)!r}, threads={self.threads})"

    def predict(self, x: Any, *, batch_size: int = 32) -> Any:
        """Run the file on any number of samples.

        Args:
            x: an array `(samples, ...)`, a dict of arrays by input name, or a list of arrays
                for a model that takes a list.
            batch_size: samples a run, where the batch of the file is free.

        Returns:
            An array for one output; a list for the outputs of a model that returns a list;
            else a dict by output name. Rows are samples.

        Raises:
            ValueError: for wrong names or shapes, or NaN for a quantized input.
            TypeError: for arrays of a type that does not fit.
        """
        return self._structured(self.predict_by_name(x, batch_size=batch_size))

    def predict_by_name(self, x: Any, *, batch_size: int = 32) -> dict[str, np.ndarray]:
        """Do as `predict` does, and return a dict by output name whatever the model returned."""
        arrays = arrays_by_name(x, self.inputs)
        rows = len(next(iter(arrays.values())))
        step = self.batch_size or max(1, min(batch_size, rows))
        parts: list[dict[str, np.ndarray]] = []
        with self._lock:
            for start in range(0, rows, step):
                kept = min(step, rows - start)
                results = self._run({name: _rows(a, start, step) for name, a in arrays.items()})
                parts.append({name: value[:kept] for name, value in results.items()})
        return {
            tensor.name: _joined([part[tensor.name] for part in parts], tensor) for tensor in self.outputs
        }

    def load(self, arrays: dict[str, np.ndarray]) -> None:
        """Put inputs by name, all rows of one run, into the interpreter."""
        self._prepare({name: array.shape for name, array in arrays.items()})
        for tensor in self.inputs:
            self._interpreter.set_tensor(
                self._input_indices[tensor.name], _quantized(arrays[tensor.name], tensor)
            )

    def invoke(self) -> None:
        """Run the interpreter once on what was loaded: the part that `benchmark` times."""
        self._interpreter.invoke()

    def _run(self, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        self.load(arrays)
        # A fused LSTM keeps its state between invokes.
        self._interpreter.reset_all_variables()
        with self._explained():
            self.invoke()
        return {
            tensor.name: _dequantized(self._interpreter.get_tensor(self._output_indices[tensor.name]), tensor)
            for tensor in self.outputs
        }

    def _prepare(self, shapes: dict[str, tuple[int, ...]]) -> None:
        if shapes == self._shapes:
            return
        for tensor in self.inputs:
            if None in tensor.shape:
                self._interpreter.resize_tensor_input(self._input_indices[tensor.name], shapes[tensor.name])
        self._shapes = {}
        self._allocate(f" with inputs of shape {shapes}")
        self._shapes = shapes

    def _allocate(self, circumstance: str = "") -> None:
        with quiet_stderr(), self._explained(circumstance):
            self._interpreter.allocate_tensors()

    @contextlib.contextmanager
    def _explained(self, circumstance: str = "") -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            reason = " ".join(str(error).split())
            raise ValueError(f"{str(self.path)!r} cannot be run{circumstance}: {reason}") from error

    def _structured(self, results: dict[str, np.ndarray]) -> Any:
        names = list(results)
        if len(names) == 1:
            return results[names[0]]
        if names == [f"output_{i}" for i in range(len(names))]:
            return [results[name] for name in names]
        return results


def _joined(parts: list[np.ndarray], tensor: Tensor) -> np.ndarray:
    empty = np.zeros([0, *(size or 0 for size in tensor.shape[1:])], real_dtype(tensor))
    return np.concatenate(parts) if parts else empty


def real_dtype(tensor: Tensor) -> str:
    """Return the type of a tensor's values once they are dequantized."""
    return "float32" if tensor.scale else tensor.dtype


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Hold back INFO lines that C++ code writes to stderr; let everything else through."""
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


def _open(path: Path, threads: int) -> Interpreter:
    if path.is_dir():
        raise IsADirectoryError(f"Expected a .tflite file; {str(path)!r} is a folder.")
    if not path.exists():
        raise FileNotFoundError(f"There is no file {str(path)!r}.")
    with path.open("rb") as file:
        head = file.read(8)
    if head[4:8] != b"TFL3":
        raise ValueError(f"{str(path)!r} is not a TensorFlow Lite file: bytes 4 to 8 should be TFL3.")
    with quiet_stderr():
        try:
            return Interpreter(model_path=str(path), num_threads=threads)
        except ValueError as error:
            raise ValueError(f"{str(path)!r} is not a whole TensorFlow Lite file: {error}") from error


def _signature(
    interpreter: Interpreter,
) -> tuple[tuple[Tensor, ...], dict[str, int], tuple[Tensor, ...], dict[str, int]]:
    signatures = interpreter.get_signature_list()
    if signatures:
        key = "serving_default" if "serving_default" in signatures else next(iter(signatures))
        runner = interpreter.get_signature_runner(key)
        inputs, outputs = runner.get_input_details(), runner.get_output_details()
    else:
        inputs = {detail["name"]: detail for detail in interpreter.get_input_details()}
        outputs = {detail["name"]: detail for detail in interpreter.get_output_details()}
    return (*_tensors(inputs), *_tensors(outputs))


def _tensors(details: dict[str, Any]) -> tuple[tuple[Tensor, ...], dict[str, int]]:
    indices = {name: int(details[name]["index"]) for name in details}
    return tuple(_tensor(name, details[name]) for name in sorted(details, key=_natural)), indices


def _natural(name: str) -> tuple[str, int]:
    # "output_10" comes after "output_9".
    stem, _, number = name.rpartition("_")
    return (stem, int(number)) if number.isdecimal() else (name, -1)


def _tensor(name: str, detail: dict[str, Any]) -> Tensor:
    shape = detail["shape_signature"] if len(detail["shape_signature"]) else detail["shape"]
    scale, zero_point = detail["quantization"]
    return Tensor(
        name=name,
        shape=tuple(None if size == -1 else int(size) for size in shape),
        dtype=np.dtype(detail["dtype"]).name,
        scale=float(scale),
        zero_point=int(zero_point),
    )


def _rows(array: np.ndarray, start: int, count: int) -> np.ndarray:
    part = array[start : start + count]
    if len(part) == count:
        return part
    # The last chunk is filled up with copies of its last row, so that nothing is allocated anew.
    return np.concatenate([part, np.repeat(part[-1:], count - len(part), axis=0)])


def _quantized(array: np.ndarray, tensor: Tensor) -> np.ndarray:
    if not tensor.scale:
        return np.ascontiguousarray(array)
    if not np.isfinite(array).all():
        raise ValueError(f"Input {tensor.name!r} is quantized and cannot take NaN or infinity.")
    limits = np.iinfo(tensor.dtype)
    steps = np.round(array.astype("float64") / tensor.scale) + tensor.zero_point
    return np.clip(steps, limits.min, limits.max).astype(tensor.dtype)


def _dequantized(array: np.ndarray, tensor: Tensor) -> np.ndarray:
    if not tensor.scale:
        return array
    return ((array.astype("float32") - tensor.zero_point) * np.float32(tensor.scale)).astype("float32")
