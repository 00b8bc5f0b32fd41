"""A `.tflite` file that can predict."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np

from keras_kd.deployment.arguments import check_integer
from keras_kd.deployment.elements import Inputs
from keras_kd.deployment.interface import Interface, read_interface
from keras_kd.deployment.opening.entry_point import read_entry_point
from keras_kd.deployment.opening.interpreters import open_interpreter, quiet_stderr, read_signature
from keras_kd.deployment.origin import read_origin
from keras_kd.deployment.tensor_details import TensorDetails
from keras_kd.finite import nonfinite
from keras_kd.tensors import Tensors

_BLOCK = 256  # rows that are quantized and dequantized at once


class LiteModel:
    """Runs a `.tflite` file with the LiteRT interpreter.

    Inputs are quantized and outputs dequantized if the file has integers there, so that values go in and
    come out in the units of the Keras model. Files with a fixed batch size run chunk by chunk. The state
    of recurrent operators is reset before each chunk.

    Inputs and outputs have the names and the order of the Keras model: the keys of a dict, the names of its
    `Input`s and of the layers that return its outputs. Those without a name are `input_0`, `output_0`, ...

    Of a file with several signatures, as other tools write them, the one of its first graph is run; it is an
    error if that is not `"serving_default"` and there is one of this name. Variables that such a file assigns
    keep their values, from sample to sample and from one `predict` to the next.

    A file that this process did not export is checked and run in a child process first, because a damaged one
    can end the process that opens it.

    Args:
        path: the file.
        threads: CPU threads that the interpreter may use.

    Attributes:
        inputs: the inputs in the order of the file, as `TensorDetails` (name, shape, dtype, scale, zero
            point, index).
        outputs: the outputs, likewise.
        batch_size: the fixed batch size, or `None` if it is free.
        interface: the structures of the inputs and outputs.
        keeps_values: whether the file assigns variables, so that the order of samples matters.
        made_from: the model that `export` made it from, as an `Origin`; `None` if the file does not tell.

    Raises:
        FileNotFoundError: if there is no such file.
        OSError: if it is a folder, a pipe or a device, or is being written.
        TimeoutError: if the child process needs more than 300 seconds, or than the environment variable
            `KERAS_KD_OPEN_TIMEOUT` says.
        ValueError: if the file is not a complete TensorFlow Lite file, is damaged, cannot be run, or runs
            another graph than that of its default signature.

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
        entry = read_entry_point(self.path)
        self.keeps_values = entry.keeps_values
        signature = read_signature(self._interpreter, entry.signature)
        self.inputs, self.outputs = signature.inputs, signature.outputs
        if not self.inputs or not self.outputs:
            missing = "outputs" if self.inputs else "inputs"
            raise ValueError(f"{str(path)!r} has no {missing}: there is nothing to predict.")
        self._input_indices, self._output_indices = signature.input_indices, signature.output_indices
        self.interface, self.made_from = self._read_interface(), read_origin(self.path)
        sizes = {tensor.shape[0] for tensor in self.inputs if tensor.shape}
        self.batch_size: int | None = max((size for size in sizes if size is not None), default=None)
        self._shapes: dict[str, tuple[int, ...]] = {}
        # An image of dynamic size counts as a single pixel until it is known, which few operators can take.
        if all(None not in tensor.shape[1:] for tensor in self.inputs):
            self._allocate()

    def _read_interface(self) -> Interface:
        inputs, outputs = ([tensor.name for tensor in side] for side in (self.inputs, self.outputs))
        return read_interface(self.path, inputs, outputs)

    def __repr__(self) -> str:
        return f"LiteModel({str(self.path)!r}, threads={self.threads})"

    def predict(self, x: Tensors, *, batch_size: int = 32) -> Tensors:
        """Run the file on any number of samples.

        Args:
            x: an array `(samples, ...)`, a dict of arrays by name, or arrays in the structure that the
                Keras model takes. Names are those in the file, those of Keras, or `input_0`, `input_1`, ...
            batch_size: samples per run, if the batch size of the file is dynamic.

        Returns:
            Arrays in the structure that the Keras model returns. From a file of another program, an array
            for one output; a list if outputs are named `output_0`, `output_1`, ...; otherwise a dict by
            name. Rows are samples.

        Raises:
            ValueError: for wrong names or shapes, NaN for a quantized input, or outputs whose first axis is
                not the samples.
            TypeError: for arrays of a type that does not fit.
        """
        return self.interface.structured(self.predict_by_name(x, batch_size=batch_size))

    def predict_by_name(self, x: Tensors, *, batch_size: int = 32) -> dict[str, np.ndarray]:
        """Do as `predict` does, but always return a dict by output name, in the order of that structure."""
        arrays = self.interface.arrays(x, self.inputs)
        rows = len(next(iter(arrays.values())))
        step = self.batch_size or max(1, min(batch_size, rows))
        block = step * max(1, _BLOCK // step)
        parts: list[dict[str, np.ndarray]] = []
        with self._lock:
            for start in range(0, rows, block):
                parts.append(self._run({name: a[start : start + block] for name, a in arrays.items()}, step))
        joined = {t.name: _joined([part[t.name] for part in parts], t) for t in self.outputs}
        return {name: joined[name] for name in keras.tree.flatten(self.interface.outputs)}

    def data_inputs(self) -> Inputs:
        """What data for the file consists of."""
        return Inputs(self.interface, self.inputs)

    def load(self, arrays: dict[str, np.ndarray]) -> None:
        """Load inputs by name, all rows of one run, into the interpreter."""
        with self._readable_errors():
            self._prepare({name: array.shape for name, array in arrays.items()})
        for tensor in self.inputs:
            values = _quantized(arrays[tensor.name], tensor)
            with self._readable_errors():
                self._interpreter.set_tensor(self._input_indices[tensor.name], values)

    def try_out(self) -> None:
        """Run the interpreter once on the loaded inputs.

        Raises:
            ValueError: if it cannot.
        """
        with self._readable_errors():
            self.invoke()

    def invoke(self) -> None:
        """Run the interpreter once on the loaded inputs: the part that `benchmark` times."""
        self._interpreter.invoke()

    def _run(self, arrays: dict[str, np.ndarray], step: int) -> dict[str, np.ndarray]:
        """Run a block of rows, `step` at a time: only what must be done for each of them is in the loop."""
        rows = len(next(iter(arrays.values())))
        with self._readable_errors():
            self._prepare({name: (step, *array.shape[1:]) for name, array in arrays.items()})
        inputs = [
            (self._input_indices[tensor.name], _padded(_quantized(arrays[tensor.name], tensor), step))
            for tensor in self.inputs
        ]
        results: list[list[np.ndarray]] = [[] for _ in self.outputs]
        outputs = [
            (self._output_indices[tensor.name], result)
            for tensor, result in zip(self.outputs, results, strict=True)
        ]
        interpreter = self._interpreter
        with self._readable_errors():
            for start in range(0, rows, step):
                for index, array in inputs:
                    interpreter.set_tensor(index, array[start : start + step])
                interpreter.reset_all_variables()  # a fused LSTM keeps its state between invocations
                interpreter.invoke()
                for index, result in outputs:
                    result.append(interpreter.get_tensor(index))
        for tensor, result in zip(self.outputs, results, strict=True):
            self._check_batch_axis(tensor, result[0].shape, step)
        return {
            tensor.name: _dequantized(np.concatenate(result)[:rows], tensor)
            for tensor, result in zip(self.outputs, results, strict=True)
        }

    def _check_batch_axis(self, tensor: TensorDetails, shape: tuple[int, ...], rows: int) -> None:
        if shape[:1] != (rows,):
            raise ValueError(
                f"Output {tensor.name!r} of {str(self.path)!r} has no batch axis: for a batch of {rows} its "
                f"shape is {shape}. Its rows cannot be told apart."
            )

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


def _joined(parts: list[np.ndarray], tensor: TensorDetails) -> np.ndarray:
    empty = np.zeros([0, *(size or 0 for size in tensor.shape[1:])], tensor.value_dtype)
    return np.concatenate(parts) if parts else empty


def _padded(array: np.ndarray, step: int) -> np.ndarray:
    """Rows filled up with copies of the last one, so that the last run is as large as the others."""
    lacking = -len(array) % step
    return np.concatenate([array, np.repeat(array[-1:], lacking, axis=0)]) if lacking else array


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
