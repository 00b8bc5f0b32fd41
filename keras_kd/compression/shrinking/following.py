"""Follows the channels through a graph: which rule stands for which operation."""

from collections.abc import Callable

import keras
import numpy as np
from keras import layers

from keras_kd.compression.shrinking.channels import Channels, Step
from keras_kd.compression.shrinking.rules import (
    attention,
    elementwise,
    moving,
    normalizing,
    products,
    recurrent,
    spatial,
    weighted,
)
from keras_kd.compression.shrinking.ties import Labels
from keras_kd.graphs import Call, Graph, has_activation_weights, opened, slots_in
from keras_kd.keras_internals import all_layers, is_of_keras

Rule = Callable[[Step], None]


def _rules(names: list[str], rule: Rule) -> dict[str, Rule]:
    return dict.fromkeys(names, rule)


# By the name of Keras's class. What makes channels comes first: it is followed whatever it reads.
_MAKING: dict[str, Rule] = {
    **_rules(["Conv1D", "Conv2D", "Conv3D"], weighted.convolution),
    **_rules(["Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"], weighted.transposed),
    **_rules(["DepthwiseConv1D", "DepthwiseConv2D"], weighted.depthwise),
    **_rules(["SeparableConv1D", "SeparableConv2D"], weighted.separable),
    **_rules(["SimpleRNN", "GRU", "LSTM", "RNN"], recurrent.recurrent),
    **_rules(["ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"], recurrent.convolutional),
    **_rules(["Embedding", "ReversibleEmbedding"], weighted.embedding),
    "Dense": weighted.dense,
    "EinsumDense": weighted.einsum_dense,
    "Bidirectional": recurrent.bidirectional,
    "MultiHeadAttention": attention.multi_head,
    "GroupedQueryAttention": attention.grouped_query,
}
_PASSING: dict[str, Rule] = {
    **_rules(["BatchNormalization", "LayerNormalization", "RMSNormalization"], normalizing.along_axis),
    **_rules(["LayerScale"], normalizing.along_axis),
    "GroupNormalization": normalizing.group_norm,
    "UnitNormalization": normalizing.unit_norm,
    "PReLU": normalizing.prelu,
    "Attention": attention.weightless,
    "AdditiveAttention": attention.weightless,
    "Dot": products.dot_layer,
    **_rules(spatial.WINDOWS, spatial.windows),
    **_rules(spatial.GLOBAL, spatial.global_pooling),
    "Softmax": spatial.along,
    **_rules(elementwise.LAYERS, elementwise.elementwise),
    **_rules(moving.LAYERS, moving.moving),
}
# Operations that are no layers have names of their own: `Average` is a layer and another operation.
OPERATIONS: dict[str, Rule] = {
    **_rules(elementwise.OPERATIONS, elementwise.elementwise),
    **_rules(moving.OPERATIONS, moving.moving),
    **_rules(spatial.REDUCTIONS, spatial.reduction),
    **_rules(spatial.WINDOW_OPERATIONS, spatial.windows),
    **_rules(spatial.ALONG, spatial.along),
    **_rules(["Matmul", "Dot"], products.matrix_product),
    "Average": spatial.average,
    "Einsum": products.einsum,
    "Normalize": normalizing.unit_norm,
    "Pad": spatial.padded,
    "Take": spatial.taken,
}


# What computes with all the channels that are left, without weights that read them, or with weights that
# others read: that a removed channel were zero for its readers does not say what the smaller model computes.
OVER_CHANNELS = {
    *("LayerNormalization", "RMSNormalization", "GroupNormalization", "UnitNormalization", "Normalize"),
    *("Attention", "AdditiveAttention", "Dot", "Matmul", "Einsum", "ReversibleEmbedding"),
}

_SIZED = {"Reshape", "BroadcastTo", "Split", "GetItem", "GroupNormalization"}  # what `cutting` changes


def follow(graph: Graph) -> Channels:
    """Follow the channels of every tensor of a graph from its inputs to its outputs.

    The outputs of the model keep their channels, and whatever cannot be followed keeps those that it reads.
    """
    channels = Channels(opened(graph))
    for call in channels.graph.calls:
        step = Step(channels, call)
        follow_step(step)
        channels.of_slots.update(zip(call.results, step.returns, strict=True))
        _tie_calls(channels, call)
    for slot in slots_in(channels.graph.outputs):
        # Said of a layer, it is plainer than what a softmax at the end does with its channels.
        channels.ties.keep(channels.of_slots[slot], "is an output of the model", first=True)
    return channels


def follow_step(step: Step) -> None:
    """Follow one call."""
    kind, known = type(step.operation).__name__, is_of_keras(type(step.operation))
    passing = _PASSING if isinstance(step.operation, layers.Layer) else OPERATIONS
    if _has_other_weights(step.operation):
        step.keep("it is quantized, or has LoRA")
        step.give_nothing()
    elif isinstance(step.operation, layers.Layer) and has_activation_weights(step.operation):
        step.keep("its activation has weights")
        step.give_nothing()
    elif known and kind == "TimeDistributed":
        _time_distributed(step)
    elif known and kind in _MAKING:
        _MAKING[kind](step)
    elif known and kind in passing:
        if any(step.ties.classes(labels).any() for labels in step.reads):
            passing[kind](step)
        else:
            step.give_nothing()
    else:
        step.keep(f"{kind} cannot be followed")
        step.give_nothing()


def _has_other_weights(operation: keras.Operation) -> bool:
    parts = all_layers(operation) if isinstance(operation, layers.Layer) else []
    return any(getattr(p, "lora_enabled", False) or getattr(p, "quantization_mode", None) for p in parts)


def _time_distributed(step: Step) -> None:
    """The layer inside, on each step of a sequence."""
    inner = Step(step.channels, step.call)
    inner.operation = step.operation.layer
    step.along(-1, step.shapes[0][-1] or 1) if step.ties.varies(step.given, 1) else None
    inner.reads = [np.take(labels, 0, 1) for labels in step.reads]
    inner.shapes = [(shape[0], *shape[2:]) for shape in step.shapes]
    inner.result_shapes = [(shape[0], *shape[2:]) for shape in step.result_shapes]
    if step.ties.varies(step.given, 1) or isinstance(inner.operation, layers.TimeDistributed):
        step.keep("its channels differ along the steps")
        step.give_nothing()
        return
    follow_step(inner)
    step.give(*(np.expand_dims(labels, 1) for labels in inner.returns))


def _tie_calls(channels: Channels, call: Call) -> None:
    """All calls of an operation that has to be changed lose the same channels: it is changed once for all."""
    first = channels.graph.calls_of(call.operation)[0]
    if first is call or not _holds_sizes(call):
        return
    for slots in (zip(first.reads, call.reads, strict=False), zip(first.results, call.results, strict=False)):
        for one, other in slots:
            _tie_alike(channels, channels.of_slots[one], channels.of_slots[other], call)


def _holds_sizes(call: Call) -> bool:
    """Whether numbers of channels, or constants with channels, stand in a call or its operation."""
    leaves = keras.tree.flatten((call.args, call.kwargs))
    return type(call.operation).__name__ in _SIZED or any(
        np.ndim(leaf) > 0 for leaf in leaves if hasattr(leaf, "shape")
    )


def _tie_alike(channels: Channels, first: Labels, second: Labels, call: Call) -> None:
    if not (channels.ties.varying_axes(first) or channels.ties.varying_axes(second)):
        return
    if first.shape == second.shape:
        channels.ties.tie(first, second)
        return
    for labels in (first, second):
        channels.ties.keep(labels, f"{call.path!r} is called on tensors of different shapes")
