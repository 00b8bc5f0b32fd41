"""A `.tflite` file that can predict."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from keras_kd.deployment.arguments import check_integer
from keras_kd.deployment.interpreters import open_interpreter, quiet_stderr, read_signature
from keras_kd.deployment.tensor_details import TensorDetails, arrays_by_name
from keras_kd.finite import nonfinite
from keras_kd.tensors import Tensors


class LiteModel:
    """Runs a `.tflite` file with the LiteRT interpreter.

    Inputs are quantized and outputs dequantized if the file has integers there, so that values go in and
    come out in the units of the Keras model. Files with a fixed batch size run chunk by chunk. The state
    of recurrent operators is reset before each chunk.

    A file that this process did not export is checked and run in a child process first, because a damaged one
    can end the process that opens it.

    If a model takes a list, the inputs in its file are named `input_0`, `input_1`, ..., in that order.

    Args:
        path: the file.
        threads: CPU threads that the interpreter may use.

    Attributes:
        inputs: the inputs, as `TensorDetails` (name, shape, dtype, scale, zero point).
        outputs: the outputs, likewise.
        batch_size: the fixed batch size, or `None` if it is dynamic.

    Raises:
        FileNotFoundError: if there is no such file.
        OSError: if it is a folder, a pipe or a device, or is being written.
        TimeoutError: if the child process needs more than 300 seconds, or than the environment variable
            `KERAS_KD_OPEN_TIMEOUT` says.
        ValueError: if the file is not a complete TensorFlow Lite file, is damaged, or cannot be run.

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
        check_integer("threads", threads, 1)
        self.path = Path(path)
        self.threads = threads
        self._lock = threading.Lock()
        self._interpreter = open_interpreter(self.path, threads)
        signature = read_signature(self._interpreter)
        self.inputs, self.outputs = signature.inputs, signature.outputs
        if not self.inputs or not self.outputs:
            missing = "outputs" if self.inputs else "inputs"
            raise ValueError(f"{str(path)!r} has no {missing}: there is nothing to predict.")
        self._input_indices, self._output_indices = signature.input_indices, signature.output_indices
        sizes = {tensor.shape[0] for tensor in self.inputs if tensor.shape}
        self.batch_size: int | None = max((size for size in sizes if size is not None), default=None)
        self._shapes: dict[str, tuple[int, ...]] = {}
        # An image of dynamic size counts as a single pixel until it is known, which few operators can take.
        if all(None not in tensor.shape[1:] for tensor in self.inputs):
            self._allocate()

    def __repr__(self) -> str:
        return f"LiteModel({str(self.path)!r}, threads={self.threads})"

    def predict(self, x: Tensors, *, batch_size: int = 32) -> Tensors:
        """Run the file on any number of samples.

        Args:
            x: an array `(samples, ...)`, a dict of arrays by input name, or a list of arrays
                for a model that takes a list.
            batch_size: samples per run, if the batch size of the file is dynamic.

        Returns:
            An array for one output; a list if the model returns a list; otherwise a dict by output
            name. Rows are samples.

        Raises:
            ValueError: for wrong names or shapes, or NaN for a quantized input.
            TypeError: for arrays of a type that does not fit.
        """
        return self._structured(self.predict_by_name(x, batch_size=batch_size))

    def predict_by_name(self, x: Tensors, *, batch_size: int = 32) -> dict[str, np.ndarray]:
        """Do as `predict` does, but always return a dict by output name."""
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
        """Load inputs by name, all rows of one run, into the interpreter."""
        with self._readable_errors():
            self._prepare({name: array.shape for name, array in arrays.items()})
        for tensor in self.inputs:
            values = _quantized(arrays[tensor.name], tensor)
            with self._readable_errors():
                self._interpreter.set_tensor(self._input_indices[tensor.name], values)

    def invoke(self) -> None:
        """Run the interpreter once on the loaded inputs: the part that `benchmark` times."""
        self._interpreter.invoke()

    def _run(self, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        self.load(arrays)
        with self._readable_errors():
            # A fused LSTM keeps its state between invocations.
            self._interpreter.reset_all_variables()
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
        with quiet_stderr(), self._readable_errors(circumstance):
            self._interpreter.allocate_tensors()

    @contextlib.contextmanager
    def _readable_errors(self, circumstance: str = "") -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            reason = " ".join(str(error).split())
            raise ValueError(f"{str(self.path)!r} cannot be run{circumstance}: {reason}") from error

    def _structured(self, results: dict[str, np.ndarray]) -> Tensors:
        names = list(results)
        if len(names) == 1:
            return results[names[0]]
        if names == [f"output_{i}" for i in range(len(names))]:
            return [results[name] for name in names]
        return results


def _joined(parts: list[np.ndarray], tensor: TensorDetails) -> np.ndarray:
    empty = np.zeros([0, *(size or 0 for size in tensor.shape[1:])], tensor.value_dtype)
    return np.concatenate(parts) if parts else empty


def _rows(array: np.ndarray, start: int, count: int) -> np.ndarray:
    part = array[start : start + count]
    if len(part) == count:
        return part
    # The last chunk is padded with copies of its last row, so that nothing is reallocated.
    return np.concatenate([part, np.repeat(part[-1:], count - len(part), axis=0)])


def _quantized(array: np.ndarray, tensor: TensorDetails) -> np.ndarray:
    if not tensor.scale:
        return np.ascontiguousarray(array)
    if nonfinite(array).any():
        raise ValueError(f"Input {tensor.name!r} is quantized and cannot take NaN or infinity.")
    limits = np.iinfo(tensor.dtype)
    steps = np.round(array.astype("float64") / tensor.scale) + tensor.zero_point
    return np.clip(steps, limits.min, limits.max).astype(tensor.dtype)


def _dequantized(array: np.ndarray, tensor: TensorDetails) -> np.ndarray:
    if not tensor.scale:
        return array
    return ((array.astype("float32") - tensor.zero_point) * np.float32(tensor.scale)).astype("float32")
