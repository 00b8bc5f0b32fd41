"""The layer beside a BatchNorm that can hold its scale and shift, or the reason why there is none."""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import keras
from keras import layers

from keras_kd.compression.batch_norm import einsum
from keras_kd.compression.batch_norm.affine import CONVOLUTIONS, DEPTHWISE, SEPARABLE, TRANSPOSED, affine_of
from keras_kd.graphs import Call, Graph, Slot, has_activation_weights, slots_in

_KINDS = (layers.Dense, layers.EinsumDense, *CONVOLUTIONS, *TRANSPOSED, *DEPTHWISE, *SEPARABLE)


class Norm(NamedTuple):
    """A BatchNorm of a model, with the layer that it can be folded into, or the reason why not.

    Attributes:
        layer: The path of the BatchNorm, such as `"backbone/norm1"`.
        call: Its call.
        into: The call of the layer beside it.
        after: Whether it comes after this layer.
        reason: Why there is none.
    """

    layer: str
    call: Call
    into: Call | None = None
    after: bool = False
    reason: str = ""

    @property
    def path(self) -> str:
        """The same path."""
        return self.layer


def norms_in(graph: Graph) -> list[Norm]:
    """Every BatchNorm that a graph or a model nested in it calls."""
    levels = dict(_levels(graph, ""))
    counts = Counter(id(call.operation) for level in levels.values() for call in level.calls)
    return [
        _Place(level, call, counts).norm(prefix + call.path)
        for prefix, level in levels.items()
        for call in level.calls
        if isinstance(call.operation, layers.BatchNormalization) and call.number == 0
    ]


def _levels(graph: Graph, prefix: str, seen: set[int] | None = None) -> Iterator[tuple[str, Graph]]:
    """The graph and those of nested models, each once, by the prefix of their paths."""
    seen = set() if seen is None else seen
    seen.add(id(graph.model))
    yield prefix, graph
    for call in graph.calls:
        if call.inner is not None and id(call.inner.model) not in seen:
            yield from _levels(call.inner, f"{prefix}{call.path}/", seen)


class _Place:
    """Where one BatchNorm stands."""

    def __init__(self, graph: Graph, call: Call, counts: Counter[int]) -> None:
        self.graph, self.call, self.counts = graph, call, counts

    def norm(self, path: str) -> Norm:
        alone = self._why_not_at_all()
        if alone:
            return Norm(path, self.call, reason=alone)
        maker = self.graph.maker(self.call.reads[0])
        why_after = self._why_not_after(maker)
        if not why_after:
            return Norm(path, self.call, maker, after=True)
        reader, why_before = self._only_reader(self.call.results[0])
        why_before = why_before or self._why_not_before(reader)
        if not why_before:
            return Norm(path, self.call, reader)
        return Norm(path, self.call, reason=f"{why_after}, and {why_before}")

    def _why_not_at_all(self) -> str:
        norm = self.call.operation
        if type(norm).call is not layers.BatchNormalization.call:
            return f"its class {type(norm).__name__} has a `call` of its own"
        if any(value is True for value in (*self.call.args[1:], self.call.kwargs.get("training"))):
            return "it is called with training=True"
        return "it is shared" if self.counts[id(norm)] > 1 else ""

    def _why_not_after(self, maker: Call | None) -> str:
        if maker is None:
            return "it reads an input"
        wrong = self._why_not_into(maker, "reads")
        layer = maker.operation
        if wrong or not isinstance(layer, keras.layers.Layer):
            return wrong
        if getattr(layer, "activation", None) not in (None, keras.activations.linear):
            return f"{layer.name!r} before it has an activation"
        if self._only_reader(self.call.reads[0])[1]:
            return f"{layer.name!r} before it is also read by others"
        return (einsum.why_not_after(layer) or "") if isinstance(layer, layers.EinsumDense) else ""

    def _why_not_before(self, reader: Call) -> str:
        wrong = self._why_not_into(reader, "is read by")
        layer = reader.operation
        if wrong or not isinstance(layer, keras.layers.Layer):
            return wrong
        if isinstance(layer, TRANSPOSED):
            return f"the borders of {layer.name!r} after it read fewer values than the rest"
        if isinstance(layer, layers.EinsumDense):
            return einsum.why_not_before(layer) or ""
        pads = getattr(layer, "padding", "valid") != "valid" and set(layer.kernel_size) != {1}
        norm = self.call.operation
        assert isinstance(norm, layers.BatchNormalization)
        return f"{layer.name!r} after it pads what it reads" if pads and affine_of(norm).shift.any() else ""

    def _why_not_into(self, call: Call, verb: str) -> str:
        """Why a layer holds no scale and shift, wherever it stands."""
        layer, norm = call.operation, self.call.operation
        if type(layer) not in _KINDS:
            return f"it {verb} {call.path!r} ({type(layer).__name__})"
        assert isinstance(layer, keras.layers.Layer)
        assert isinstance(norm, keras.layers.Layer)
        if self.counts[id(layer)] > 1:
            return f"{call.path!r} is shared"
        if layer.quantization_mode or getattr(layer, "lora_enabled", False):
            return f"{call.path!r} is quantized, or has a LoRA"
        if has_activation_weights(layer):
            return f"the activation of {call.path!r} has weights"
        rank = len(self.graph.shape(self.call.results[0]))
        first = getattr(layer, "data_format", "channels_last") == "channels_first"
        if norm.axis % rank != (1 if first else rank - 1):
            return f"its axis {norm.axis} is not that of the channels of {call.path!r}"
        if layer.compute_dtype != norm.compute_dtype:
            return f"it computes in {norm.compute_dtype}, and {call.path!r} in {layer.compute_dtype}"
        return ""

    def _only_reader(self, slot: Slot) -> tuple[Call, str]:
        """The one call that reads a tensor, or a reason why it is not the only one."""
        readers = self.graph.readers(slot)
        if slot in slots_in(self.graph.outputs):
            return self.call, "it is an output of the model"
        if len(readers) != 1 or len(readers[0].reads) != 1:
            return self.call, "more than one operation reads it"
        return readers[0], ""
