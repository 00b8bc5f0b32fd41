"""Kernels: the weights of a model that can be pruned or clustered, as matrices of inputs and outputs."""

from collections.abc import Iterator
from typing import NamedTuple

import keras
import numpy as np
from keras import layers

from keras_kd.paths import layers_by_path

_CONVOLUTIONS = layers.Conv1D, layers.Conv2D, layers.Conv3D
_TRANSPOSED = layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose
_DEPTHWISE = layers.DepthwiseConv1D, layers.DepthwiseConv2D
_SEPARABLE = layers.SeparableConv1D, layers.SeparableConv2D
_CELLS = layers.SimpleRNNCell, layers.GRUCell, layers.LSTMCell


class Kernel(NamedTuple):
    """A weight that can be pruned or clustered.

    Attributes:
        layer: The path of its layer, such as `"backbone/conv1"`.
        name: Its name there, such as `"kernel"`.
        variable: The weight.
        inputs: The axes that are summed over, or `None` if each input has its own weights (depthwise).
        run: How many consecutive inputs belong to the same position of the layer's window.
    """

    layer: str
    name: str
    variable: keras.Variable
    inputs: tuple[int, ...] | None
    run: int

    @property
    def path(self) -> str:
        """The path of the weight, such as `"backbone/conv1/kernel"`."""
        return f"{self.layer}/{self.name}"

    @property
    def outputs(self) -> int:
        """The number of outputs."""
        shape = self.variable.shape
        return int(np.prod([size for axis, size in enumerate(shape) if axis not in (self.inputs or ())]))

    def value(self) -> np.ndarray:
        """The value, in float32."""
        return self.variable.numpy().astype("float32")

    def matrix(self, value: np.ndarray) -> np.ndarray:
        """A value of the kernel's shape as a matrix `(inputs, outputs)`."""
        order = self._inputs_first()
        rows = int(np.prod([value.shape[axis] for axis in self.inputs or order[:-1]]))
        return value.transpose(order).reshape(rows, -1)

    def unmatrix(self, matrix: np.ndarray) -> np.ndarray:
        """The inverse of `matrix`."""
        order, shape = self._inputs_first(), tuple(self.variable.shape)
        return matrix.reshape([shape[axis] for axis in order]).transpose(np.argsort(order))

    def _inputs_first(self) -> list[int]:
        inputs = list(self.inputs or ())
        return [*inputs, *(axis for axis in range(len(self.variable.shape)) if axis not in inputs)]


def kernels_of(model: keras.Model) -> list[Kernel]:
    """Every kernel of a built model, each once; embeddings come last.

    Raises:
        ValueError: The model has no weights yet.
    """
    if not model.built:
        raise ValueError(
            f"The model {model.name!r} is not built, so it has no weights yet. Give it an Input, or "
            "call it once on a batch of data before `fit`."
        )
    found: dict[int, Kernel] = {}
    for path, layer in layers_by_path(model).items():
        for name, variable, inputs in _find_kernels(layer):
            shape = variable.shape
            if inputs is None:
                run = 1
            elif isinstance(layer, layers.EinsumDense):
                run = int(np.prod([shape[axis] for axis in inputs]))
            else:
                run = shape[inputs[-1]]
            found.setdefault(id(variable), Kernel(path, name, variable, inputs, run))
    return sorted(found.values(), key=lambda kernel: kernel.name == "embeddings")


def _find_kernels(layer: keras.layers.Layer) -> Iterator[tuple[str, keras.Variable, tuple[int, ...] | None]]:
    """The kernels of a layer: name, weight, and the axes that are summed over."""
    if hasattr(layer, "get_prunable_weights"):  # as layers for tensorflow-model-optimization have
        attributes = {id(value): name for name, value in vars(layer).items() if not name.startswith("_")}
        for variable in layer.get_prunable_weights():
            name = attributes.get(id(variable), variable.name)
            yield name, variable, tuple(range(max(len(variable.shape) - 1, 1)))
        return
    if getattr(layer, "quantization_mode", None) or getattr(layer, "lora_enabled", False):
        return  # Keras exposes LoRA's sum, or what it has quantized, under the same name
    for name, inputs in _kernel_attributes(layer):
        variable = getattr(layer, name, None)
        if isinstance(variable, keras.Variable) and "float" in str(variable.dtype):
            yield name, variable, inputs


def _kernel_attributes(layer: keras.layers.Layer) -> Iterator[tuple[str, tuple[int, ...] | None]]:
    """The names of a layer's kernels, and the axes of each that are summed over."""
    if isinstance(layer, layers.EinsumDense):
        yield "kernel", _summed_axes(layer.equation) or None
    elif isinstance(layer, _TRANSPOSED):
        rank = len(layer.kernel.shape) if layer.built else 3
        yield "kernel", (*range(rank - 2), rank - 1)
    elif isinstance(layer, _DEPTHWISE):
        yield "kernel", None
    elif isinstance(layer, _SEPARABLE):
        yield "depthwise_kernel", None
        yield "pointwise_kernel", tuple(range(layer.rank + 1))
    elif isinstance(layer, _CONVOLUTIONS):
        yield "kernel", tuple(range(layer.rank + 1))
    elif isinstance(layer, layers.Dense):
        yield "kernel", (0,)
    elif isinstance(layer, _CELLS):
        yield from (("kernel", (0,)), ("recurrent_kernel", (0,)))
    elif isinstance(layer, layers.Embedding):
        yield "embeddings", (0,)
    elif type(layer).__name__ == "ConvLSTMCell":  # which Keras does not export
        axes = tuple(range(layer.rank + 1))
        yield from (("kernel", axes), ("recurrent_kernel", axes))


def _summed_axes(equation: str) -> tuple[int, ...]:
    """The axes of an EinsumDense kernel that are missing from its output.

    Examples:
        >>> _summed_axes("abc,cde->abde")
        (0,)
        >>> _summed_axes("...cd,cde->...e")
        (0, 1)
    """
    operands, output = equation.replace(" ", "").split("->")
    kernel = operands.split(",")[1]
    return tuple(axis for axis, letter in enumerate(kernel) if letter not in output)
