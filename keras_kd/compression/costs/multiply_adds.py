"""The multiply-adds of a call, by the variables that it multiplies with.

A multiply-add is one multiplication and one addition: two operations of TensorFlow's profiler. Only sums of
products count: convolutions, dense layers, attention, recurrent cells, matrix products. Elementwise
operations, normalizations, pooling and look-ups count 0.
"""

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

import keras
from keras import layers

from keras_kd.compression.costs.leaves import Leaf, is_composed, leaf_of, leaves
from keras_kd.compression.costs.products import count_products
from keras_kd.compression.costs.sizes import size_of
from keras_kd.graphs import Call, Graph
from keras_kd.keras_internals import hidden_argument

_CELLS = layers.SimpleRNNCell, layers.LSTMCell, layers.GRUCell
_CONVOLUTIONAL = layers.ConvLSTM1D, layers.ConvLSTM2D, layers.ConvLSTM3D
# Whose code is not Keras's.
_FOREIGN = layers.JaxLayer, layers.FlaxLayer, layers.TFSMLayer, layers.TorchModuleWrapper


class Use(NamedTuple):
    """A variable that a call multiplies with.

    The multiply-adds are `times` times the product of the variable's shape over `axes`. So those of a model
    with smaller variables follow from their shapes alone.

    Attributes:
        variable: The variable, such as a kernel.
        times: How often: over the batch, and the positions or steps. It does not depend on channels.
        axes: Which axes count; `None`: all.
    """

    variable: keras.Variable
    times: int
    axes: tuple[int, ...] | None = None

    def multiply_adds(self, shape: Sequence[int] | None = None) -> int:
        """The multiply-adds, also for another shape of the variable."""
        sizes = tuple(self.variable.shape if shape is None else shape)
        return self.times * math.prod(sizes if self.axes is None else [sizes[axis] for axis in self.axes])


def uses(call: Call, graph: Graph) -> list[Use]:
    """The variables that a call multiplies with, and how often.

    Nested models, wrappers and layers of users are opened. A variable may occur several times: that of an
    attention's query stands for its projection, and for the scores.

    Args:
        call: A call of the graph.
        graph: A graph whose shapes are known; axes that are free count as 1.
    """
    return [use for leaf in leaves(leaf_of(call, graph)) for use in _uses_of(leaf.operation, leaf)]


def multiply_adds(call: Call, graph: Graph) -> int:
    """All multiply-adds of a call, those without variables included (`x @ y`).

    Args:
        call: A call of the graph.
        graph: A graph whose shapes are known; axes that are free count as 1.
    """
    return sum(map(count_multiply_adds, leaves(leaf_of(call, graph))))


def count_multiply_adds(leaf: Leaf) -> int:
    """The multiply-adds of an operation that is not made of others."""
    return count_products(leaf) + sum(use.multiply_adds() for use in _uses_of(leaf.operation, leaf))


def is_counted(leaf: Leaf) -> bool:
    """Whether it is known what an operation multiplies."""
    layer = leaf.operation
    if isinstance(layer, layers.RNN) and not isinstance(layer, _CONVOLUTIONAL):
        return all(isinstance(cell, _CELLS) for cell in _cells_of(layer))
    return not is_composed(layer) and not isinstance(layer, _FOREIGN)


@functools.singledispatch
def _uses_of(layer: keras.Operation, leaf: Leaf) -> list[Use]:
    """The uses of one operation; there are none without a rule below."""
    return []


@_uses_of.register(layers.Dense)
def _(layer: layers.Dense, leaf: Leaf) -> list[Use]:
    return _of_kernel(layer, size_of(leaf.shapes[0][:-1]))


@_uses_of.register(layers.EinsumDense)
def _(layer: layers.EinsumDense, leaf: Leaf) -> list[Use]:
    inputs, rest = layer.equation.replace(" ", "").split(",")
    kernel = rest.split("->")[0]
    shape = list(leaf.shapes[0])
    before, _, after = inputs.partition("...")
    free = shape[len(before) : len(shape) - len(after)] if "..." in inputs else []
    sizes = [*zip(before, shape, strict=False), *zip(after, shape[len(shape) - len(after) :], strict=True)]
    return _of_kernel(layer, size_of([*free, *(size for letter, size in sizes if letter not in kernel)]))


@_uses_of.register(layers.Conv1D)
@_uses_of.register(layers.Conv2D)
@_uses_of.register(layers.Conv3D)
def _(layer: layers.Conv2D, leaf: Leaf) -> list[Use]:
    return _of_kernel(layer, size_of(leaf.returned) // layer.filters)


@_uses_of.register(layers.Conv1DTranspose)
@_uses_of.register(layers.Conv2DTranspose)
@_uses_of.register(layers.Conv3DTranspose)
def _(layer: layers.Conv2DTranspose, leaf: Leaf) -> list[Use]:
    return [Use(layer.kernel, size_of(leaf.shapes[0]) // layer.kernel.shape[-1])]  # each input is spread


@_uses_of.register(layers.DepthwiseConv1D)
@_uses_of.register(layers.DepthwiseConv2D)
def _(layer: layers.DepthwiseConv2D, leaf: Leaf) -> list[Use]:
    channels = layer.kernel.shape[-2] * layer.kernel.shape[-1]
    return [Use(layer.kernel, size_of(leaf.returned) // channels)]


@_uses_of.register(layers.SeparableConv1D)
@_uses_of.register(layers.SeparableConv2D)
def _(layer: layers.SeparableConv2D, leaf: Leaf) -> list[Use]:
    positions = size_of(leaf.returned) // layer.filters
    return [Use(layer.depthwise_kernel, positions), Use(layer.pointwise_kernel, positions)]


@_uses_of.register(layers.ReversibleEmbedding)
def _(layer: layers.ReversibleEmbedding, leaf: Leaf) -> list[Use]:
    if not leaf.argument("reverse"):
        return []
    kernel = layer.embeddings if layer.tie_weights else layer.reverse_embeddings
    return [Use(kernel, size_of(leaf.shapes[0][:-1]))]


@_uses_of.register(layers.MultiHeadAttention)
@_uses_of.register(layers.GroupQueryAttention)
def _(layer: layers.MultiHeadAttention, leaf: Leaf) -> list[Use]:
    query, value = (tuple(leaf.argument(name).shape) for name in ("query", "value"))
    queries, values = size_of(query[:-1]), size_of(value[:-1])
    dense = ["query", "output", *(["gate"] if layer.get_config().get("use_gate") else [])]
    kernels = {name: _kernel_of(hidden_argument(layer, f"{name}_dense")) for name in (*dense, "key", "value")}
    found = [Use(kernels[name], queries) for name in dense]
    found += [Use(kernels[name], values) for name in ("key", "value")]
    attended = getattr(layer, "attention_axes", None) or range(1, len(query) - 1)
    pairs = queries * size_of([value[axis] for axis in attended])
    # Key and value heads of GroupQueryAttention are repeated for all heads of the query.
    summed = "value" if isinstance(layer, layers.MultiHeadAttention) else "query"
    return [*found, Use(kernels["query"], pairs, (1, 2)), Use(kernels[summed], pairs, (1, 2))]


@_uses_of.register(layers.RNN)
def _(layer: layers.RNN, leaf: Leaf) -> list[Use]:
    steps = size_of(leaf.shapes[0][:2])
    known = [cell for cell in _cells_of(layer) if isinstance(cell, _CELLS)]
    return [Use(kernel, steps) for cell in known for kernel in (cell.kernel, cell.recurrent_kernel)]


@_uses_of.register(layers.ConvLSTM1D)
@_uses_of.register(layers.ConvLSTM2D)
@_uses_of.register(layers.ConvLSTM3D)
def _(layer: layers.ConvLSTM2D, leaf: Leaf) -> list[Use]:
    steps = 1 if layer.return_sequences else size_of(leaf.shapes[0][1:2])
    positions = steps * size_of(leaf.returned) // layer.filters
    return [Use(kernel, positions) for kernel in (layer.cell.kernel, layer.cell.recurrent_kernel)]


def _cells_of(layer: layers.RNN) -> list[keras.layers.Layer]:
    return layer.cell.cells if isinstance(layer.cell, layers.StackedRNNCells) else [layer.cell]


def _of_kernel(layer: keras.layers.Layer, times: int) -> list[Use]:
    variable = _kernel_of(layer)
    if getattr(layer, "quantization_mode", None):
        sizes = tuple(layer.kernel.shape)
        if sizes != tuple(variable.shape):  # two weights of 4 bits in each element
            return [Use(variable, times * math.prod(sizes), ())]
    return [Use(variable, times)]


def _kernel_of(layer: keras.layers.Layer) -> keras.Variable:
    """The variable itself: with LoRA, `layer.kernel` is a sum of variables."""
    return hidden_argument(layer, "kernel")
