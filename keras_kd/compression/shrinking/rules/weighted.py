"""Layers with kernels: they make channels from other channels."""

import functools
from collections.abc import Callable

import keras
import numpy as np
from keras import layers, ops

from keras_kd.compression.shrinking.channels import Role, Step, nothing, placed
from keras_kd.compression.shrinking.ties import Labels
from keras_kd.tensors import Tensor

# What computes an output from several channels at once.
_MIXING = {"softmax", "log_softmax", "sparsemax", "glu"}


def why_mixing(function: Callable[[Tensor], Tensor] | None) -> str | None:
    """Why an activation may compute with several channels; `None` if it works on each element alone."""
    if function is None:
        return None
    name = getattr(function, "__name__", type(function).__name__)
    if isinstance(function, keras.layers.Layer):  # which is built when it is called
        function = type(function).from_config(function.get_config())
    if name in _MIXING or not _works_on_parts(function):
        return f"its activation {name!r} computes with all channels"
    return None


@functools.lru_cache(maxsize=256)
def _works_on_parts(function: Callable[[Tensor], Tensor]) -> bool:
    """Whether a function of some of the channels is the same part of the function of all."""
    if getattr(keras.activations, getattr(function, "__name__", ""), None) is function:
        return True
    random = np.random.default_rng(0)
    for size in (2, 5, 12):
        x = random.normal(size=(3, size)).astype("float32") * 3
        part = random.permutation(size)[: size // 2]
        try:
            whole, alone = (np.asarray(function(ops.convert_to_tensor(value))) for value in (x, x[:, part]))
        except Exception:  # a user's function may need an image, or a size of its own
            return False
        # Not bit for bit: vectors and what remains of them are computed by different code.
        if whole.shape != x.shape or not np.allclose(whole[:, part], alone, 1e-4, 1e-5):
            return False
    return True


def _give(step: Step, made: Labels, axis: int = -1) -> None:
    """Return the channels that a layer made, unless its activation mixes them."""
    why = why_mixing(step.operation.activation)
    if why is not None:
        step.keep(why, [made])
    step.give(placed(made, axis, step.rank))


def channel_axis(layer: keras.layers.Layer) -> int:
    """The axis of the channels in what an image layer or operation reads and returns."""
    # An operation may leave it to the setting.
    order = getattr(layer, "data_format", "channels_last") or keras.config.image_data_format()
    return 1 if order == "channels_first" else -1


def dense(step: Step) -> None:
    """`Dense`: kernel `(inputs, units)`."""
    layer = step.operation
    step.axis(layer.kernel, 0, Role.READS, step.along(-1, layer.kernel.shape[0]))
    made = step.made(layer.kernel, 1, layer.kernel.shape[1])
    step.axis(layer.bias, 0, Role.ALONG, made)
    _give(step, made)


def convolution(step: Step) -> None:
    """`Conv1D` to `Conv3D`: kernel `(*window, inputs / groups, filters)`."""
    layer, axis = step.operation, channel_axis(step.operation)
    inputs, filters = layer.kernel.shape[-2] * layer.groups, layer.kernel.shape[-1]
    read = step.along(axis, inputs)
    if layer.groups == inputs > 1:  # a depthwise convolution
        returned = np.repeat(read, filters // inputs)
        step.axis(layer.kernel, -1, Role.ALONG, returned)
        step.axis(layer.bias, 0, Role.ALONG, returned)
        _give(step, returned, axis)
        return
    if layer.groups > 1:  # every group keeps as many, in the same places
        by_group = read.reshape(layer.groups, -1)
        step.ties.tie(by_group, by_group[:1])
        read = by_group[0]
    step.axis(layer.kernel, -2, Role.READS, read)
    made = step.made(layer.kernel, -1, filters)
    if layer.groups > 1:
        by_group = made.reshape(layer.groups, -1)
        step.ties.tie(by_group, by_group[:1])
    step.axis(layer.bias, 0, Role.ALONG, made)
    _give(step, made, axis)


def transposed(step: Step) -> None:
    """`Conv1DTranspose` to `Conv3DTranspose`: kernel `(*window, filters, inputs)`."""
    layer, axis = step.operation, channel_axis(step.operation)
    step.axis(layer.kernel, -1, Role.READS, step.along(axis, layer.kernel.shape[-1]))
    made = step.made(layer.kernel, -2, layer.kernel.shape[-2])
    step.axis(layer.bias, 0, Role.ALONG, made)
    _give(step, made, axis)


def depthwise(step: Step) -> None:
    """`DepthwiseConv1D` and `2D`: kernel `(*window, inputs, multiplier)`; output `input * multiplier + m`."""
    layer, axis = step.operation, channel_axis(step.operation)
    read = step.along(axis, layer.kernel.shape[-2])
    step.axis(layer.kernel, -2, Role.ALONG, read)
    returned = np.repeat(read, layer.depth_multiplier)
    step.axis(layer.bias, 0, Role.ALONG, returned)
    _give(step, returned, axis)


def separable(step: Step) -> None:
    """`SeparableConv1D`, `2D`: a depthwise kernel, then one of `(..., inputs * multiplier, filters)`."""
    layer, axis = step.operation, channel_axis(step.operation)
    read = step.along(axis, layer.depthwise_kernel.shape[-2])
    step.axis(layer.depthwise_kernel, -2, Role.ALONG, read)
    step.axis(layer.pointwise_kernel, -2, Role.READS, np.repeat(read, layer.depth_multiplier))
    made = step.made(layer.pointwise_kernel, -1, layer.pointwise_kernel.shape[-1])
    step.axis(layer.bias, 0, Role.ALONG, made)
    _give(step, made, axis)


def einsum_dense(step: Step) -> None:
    """`EinsumDense`: each axis of the kernel is summed over, made, or shared with both sides."""
    layer = step.operation
    inputs, kernel, outputs = spread_equation(layer, len(step.shapes[0]), step.rank)
    result = nothing(step.rank)
    for axis, letter in enumerate(kernel):
        size = layer.kernel.shape[axis]
        if letter in inputs:
            labels = step.along(inputs.index(letter), size)
            step.axis(layer.kernel, axis, Role.ALONG if letter in outputs else Role.READS, labels)
        else:
            labels = step.made(layer.kernel, axis, size)
        if letter in outputs:
            result = _crossed(step, result, placed(labels, outputs.index(letter), step.rank))
    if layer.bias is not None:
        bias = layer.bias.shape
        for axis in range(len(bias)):
            place = step.rank - len(bias) + axis
            if bias[axis] > 1:
                step.axis(
                    layer.bias, axis, Role.ALONG, step.channels.vector(result, place, bias[axis], "bias")
                )
    why = why_mixing(layer.activation)
    if why is not None:
        step.keep(why, [result])
    step.give(result)


def _crossed(step: Step, first: Labels, second: Labels) -> Labels:
    """Labels of a tensor with channels along two axes, of which one only can lose some: the last of them."""
    if not step.ties.varying_axes(first):
        return second
    axes = step.ties.varying_axes(first), step.ties.varying_axes(second)
    if not axes[1]:
        return first
    lost, kept = (first, second) if max(axes[0]) < max(axes[1]) else (second, first)
    step.ties.keep(lost, f"{step.call.path!r} makes channels along several axes")
    return kept


def spread_equation(layer: layers.EinsumDense, rank: int, out_rank: int) -> tuple[str, str, str]:
    """The letters of the input, the kernel and the output; an ellipsis becomes capital letters."""
    operands, outputs = layer.equation.replace(" ", "").split("->")
    inputs, kernel = operands.split(",")
    return spread(inputs, rank), kernel, spread(outputs, out_rank)


def spread(letters: str, rank: int) -> str:
    """The letters of a tensor's axes, with capital ones, which end with an A, for an ellipsis."""
    count = rank - len(letters.replace("...", ""))  # 0 where the ellipsis stands for no axis
    return letters.replace("...", "JIHGFEDCBA"[10 - count :])


def embedding(step: Step) -> None:
    """`Embedding`: table `(entries, size)`; `ReversibleEmbedding` also reads what has the size of entries."""
    layer = step.operation
    if step.call.kwargs.get("reverse", step.call.args[1:] == (True,)):
        own = getattr(layer, "reverse_embeddings", None)
        table, axis = (layer.embeddings, 1) if own is None else (own, 0)
        step.axis(table, axis, Role.READS, step.along(-1, table.shape[axis]))
        step.give_nothing()
        return
    step.keep("it looks them up", step.reads)
    size = layer.embeddings.shape[1]
    made = step.made(layer.embeddings, 1, size)
    if getattr(layer, "reverse_embeddings", None) is not None:
        step.axis(layer.reverse_embeddings, 0, Role.READS, made)
    step.give(placed(made, -1, step.rank))
