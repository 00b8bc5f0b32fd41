"""The layers of a model that have kernels: those that can be factorized, and why the others cannot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import keras
from keras import KerasTensor, layers

from keras_kd.compression.costs.multiply_adds import multiply_adds, uses
from keras_kd.compression.costs.shaped import reshaped
from keras_kd.compression.costs.sizes import size_of
from keras_kd.compression.low_rank.moments import Reading
from keras_kd.graphs import Call, Graph, config_of, graph_of, has_activation_weights, opened, slots_in
from keras_kd.keras_internals import all_layers
from keras_kd.tensors import Shape

CONVOLUTIONS = (layers.Conv1D, layers.Conv2D, layers.Conv3D)
_Classes: TypeAlias = tuple[type[keras.layers.Layer], ...]
_DISTRIBUTED: _Classes = (layers.Dense, *CONVOLUTIONS)  # what is factorized inside a TimeDistributed
_KINDS: _Classes = (*_DISTRIBUTED, layers.EinsumDense, layers.MultiHeadAttention)

# Why other layers of Keras are left alone; the first kind that fits counts.
_REASONS: Mapping[type[keras.layers.Layer] | _Classes, str] = {
    (layers.DepthwiseConv1D, layers.DepthwiseConv2D): "each of its channels has a filter of its own",
    (layers.SeparableConv1D, layers.SeparableConv2D): "it is separable already",
    layers.Embedding: "it multiplies nothing, and two layers would",
    (layers.RNN, layers.Bidirectional): "recurrent layers hold their kernels inside",
    (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose): (
        "transposed convolutions are not factorized"
    ),
    layers.GroupQueryAttention: "its query heads share a key, so that they have no rank of their own",
    layers.Wrapper: "what it wraps is not factorized",
    keras.Model: "Keras changes what it gives to this model on the way in, so it is not opened",
}


@dataclass(frozen=True)
class Site:
    """A layer with a kernel.

    Args:
        layer: Its path.
        operation: The layer.
        calls: Where it is called.
        graph: The opened graph of the model, for one sample.
        reason: Why it cannot be factorized; empty if it can.
    """

    layer: str
    operation: keras.layers.Layer
    calls: Sequence[Call]
    graph: Graph
    reason: str = ""

    @property
    def path(self) -> str:
        """Its path."""
        return self.layer

    @property
    def inner(self) -> keras.layers.Layer:
        """The layer, or what a `TimeDistributed` applies to each step."""
        operation = self.operation
        return operation.layer if isinstance(operation, layers.TimeDistributed) else operation

    @property
    def kind(self) -> str:
        """The name of its class."""
        kinds = [type(self.operation).__name__]
        if self.inner is not self.operation:
            kinds.append(type(self.inner).__name__)
        return " ".join(kinds)

    @property
    def multiply_adds(self) -> int:
        """Those of all calls; a free axis counts as one."""
        return sum(multiply_adds(call, self.graph) for call in self.calls)

    def times(self) -> int:
        """How often the kernel is applied; a free axis counts as one."""
        found = [use for call in self.calls for use in uses(call, self.graph)]
        return sum(use.times for use in found if use.variable is self.inner.kernel)

    def shapes(self) -> list[tuple[Shape, Shape]]:
        """The shapes in and out of each call, without the steps of a `TimeDistributed`."""
        found = []
        for call in self.calls:
            given, returned = (self.graph.shape(slot) for slot in (call.reads[0], call.results[0]))
            if self.inner is not self.operation:
                steps = size_of(given[:2])
                given, returned = (steps, *given[2:]), (steps, *returned[2:])
            found.append((given, returned))
        return found

    def reading(self, axes: tuple[int, ...]) -> Reading:
        """What the layer reads, with its axes of features."""
        return Reading(tuple(call.reads[0] for call in self.calls), axes)


def opened_for_one_sample(model: keras.Model) -> Graph:
    """The opened graph of a model, with the shapes that its layers meet when it is given one sample."""
    graph = opened(graph_of(model))
    inputs = [graph.symbol(slot) for slot in slots_in(graph.inputs)]
    try:
        return reshaped(graph, [KerasTensor((x.shape[0] or 1, *x.shape[1:]), x.dtype) for x in inputs])
    except ValueError:  # an operation takes no such batch: free axes count as one then
        return graph


def sites_in(graph: Graph) -> list[Site]:
    """Every layer of an opened graph that has a kernel, once, in the order of the calls."""
    found: dict[int, Site] = {}
    for call in graph.calls:
        layer = call.operation
        if isinstance(layer, keras.layers.Layer) and id(layer) not in found and _has_matrix(layer):
            calls = [other for other in graph.calls if other.operation is layer]
            found[id(layer)] = Site(call.path, layer, calls, graph, _reason(layer))
    return list(found.values())


def _has_matrix(layer: keras.layers.Layer) -> bool:
    return any(len(weight.shape) > 1 for weight in layer.weights)


def _reason(layer: keras.layers.Layer) -> str:
    """Why a layer cannot be factorized, or an empty text."""
    inner, kinds = layer, _KINDS
    if type(layer) is layers.TimeDistributed:
        inner, kinds = layer.layer, _DISTRIBUTED
    if type(inner) not in kinds:
        return next((text for kind, text in _REASONS.items() if isinstance(layer, kind)), _other(layer))
    for part in all_layers(inner):
        if getattr(part, "quantization_mode", None):
            return "Keras has quantized it"
        if getattr(part, "lora_enabled", False):
            return "it has LoRA weights: merge them first"
    if has_activation_weights(inner):
        return "its activation has weights"
    has_constraint = config_of(inner)["kernel_constraint"] is not None
    return "its kernel, which has a constraint, would be no more" if has_constraint else ""


def _other(layer: keras.layers.Layer) -> str:
    return f"layers of the class {type(layer).__name__} are not factorized"
