"""The graph of a Functional or Sequential model, in a form that both libraries share."""

import dataclasses
from collections.abc import Callable
from typing import Any, TypeAlias

import keras

from keras_kd import legacy
from keras_kd.graphs import Slot, graph_of, slots_in
from keras_kd.keras_internals import functional_of, maker_of, mask_of
from keras_kd.legacy import KerasLayer, KerasModel
from keras_kd.tensors import Shape, Tensor, Tensors
from keras_kd.tfmot.bridge.directions import Direction, Unbridgeable, to_plain


@dataclasses.dataclass(frozen=True)
class ModelInput:
    """An input of a model: `keras.Input` with these arguments."""

    name: str
    shape: Shape
    dtype: str
    sparse: bool
    ragged: bool


@dataclasses.dataclass(frozen=True)
class SourceCall:
    """An operation, usually a layer, applied once; tensors are slots, `results` their numbers."""

    operation: KerasLayer
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    results: list[int]
    tensors: dict[int, Any]  # the symbolic tensors behind the slots: shapes, dtypes, masks
    nested_masks: bool = False  # whether masks reach the enclosing model, which symbolic tensors do not show

    @property
    def slots(self) -> list[Slot]:
        """The tensors that the call reads."""
        return [leaf for leaf in keras.tree.flatten((self.args, self.kwargs)) if isinstance(leaf, Slot)]

    @property
    def masked(self) -> bool:
        """Whether a mask may arrive."""
        return self.nested_masks or any(mask is not None for mask in self.masks)

    @property
    def masks(self) -> list[Any]:
        """The symbolic masks of the tensors that the call reads."""
        return [mask_of(self.tensors[slot.index]) for slot in self.slots]


@dataclasses.dataclass(frozen=True)
class SourceGraph:
    """A model as a list of calls in topological order."""

    entries: dict[int, ModelInput]
    inputs: Any
    outputs: Any
    calls: list[SourceCall]
    sequential: bool


# Inputs, outputs, calls in order, and the symbolic tensors by the numbers of their slots.
GraphParts: TypeAlias = tuple[Tensors, Tensors, list[SourceCall], dict[int, Tensor]]


def read_graph(model: KerasModel, direction: Direction, masked: bool = False) -> SourceGraph:
    """The graph of a built Functional or Sequential model of either library, called on masked data or not."""
    if not (functional_of(model) is not None if direction.forward else legacy.is_wired(model)):
        raise Unbridgeable("it is not built: call it on data, or give it an Input")
    inputs, outputs, calls, tensors = (_read_keras if direction.forward else _read_tf_keras)(model)
    entries = {slot.index: read_input(tensors[slot.index], direction) for slot in slots_in(inputs)}
    calls = [dataclasses.replace(call, nested_masks=masked) for call in calls]
    sequential = isinstance(model, direction.source.Sequential)
    return SourceGraph(entries, inputs, outputs, calls, sequential)


def read_input(tensor: Tensor, direction: Direction) -> ModelInput:
    """The arguments to make an input with."""
    layer: Any = maker_of(tensor)[0] if direction.forward else legacy.maker_of_tensor(tensor)
    if direction.forward:
        if getattr(layer, "optional", False):
            raise Unbridgeable(f"its input {layer.name!r} is optional, which tf_keras does not have")
        return ModelInput(
            layer.name, tuple(layer.batch_shape), layer.dtype, bool(layer.sparse), bool(layer.ragged)
        )
    spec = tensor.type_spec  # type: ignore[union-attr]
    kind = type(spec).__name__
    dtype, shape = spec.dtype.name, tuple(spec.shape)
    return ModelInput(layer.name, shape, dtype, kind == "SparseTensorSpec", kind == "RaggedTensorSpec")


def _read_keras(model: keras.Model) -> GraphParts:
    graph = graph_of(model, strict=False)
    tensors = dict(enumerate(graph.symbols))
    calls = [
        SourceCall(call.operation, call.args, call.kwargs, [slot.index for slot in call.results], tensors)
        for call in graph.calls
    ]
    return graph.inputs, graph.outputs, calls, tensors


def _read_tf_keras(model: KerasModel) -> GraphParts:
    tensors: dict[int, Tensor] = {}
    slots: dict[int, Slot] = {}

    def slot_of(tensor: Tensor) -> Slot:
        if id(tensor) not in slots:
            slots[id(tensor)] = Slot(len(slots))
            tensors[len(slots) - 1] = tensor
        return slots[id(tensor)]

    inputs, outputs = (
        keras.tree.map_structure(slot_of, to_plain(structure))
        for structure in (legacy.nested_inputs(model), legacy.nested_outputs(model))
    )
    calls = read_tf_keras_calls(model, slot_of, tensors)
    return inputs, outputs, select_needed(calls, outputs), tensors


def read_tf_keras_calls(
    network: KerasModel, slot_of: Callable[[Tensor], Slot], tensors: dict[int, Tensor]
) -> list[SourceCall]:
    """The calls of a tf_keras graph."""
    calls = []

    def to_slot(value: Any) -> object:
        return value if legacy.maker_of_tensor(value) is None else slot_of(value)

    for node in legacy.graph_nodes(network):
        args, kwargs = keras.tree.map_structure(to_slot, to_plain((tuple(node.call_args), node.call_kwargs)))
        results = [slot_of(tensor).index for tensor in keras.tree.flatten(to_plain(node.outputs))]
        calls.append(SourceCall(node.layer, args, kwargs, results, tensors))
    return calls


def select_needed(calls: list[SourceCall], outputs: object) -> list[SourceCall]:
    """The calls that the outputs depend on, without those of masks that are propagated automatically."""
    wanted = {slot.index for slot in keras.tree.flatten(outputs)}
    kept = []
    for call in reversed(calls):
        if wanted.intersection(call.results):
            wanted.update(slot.index for slot in call.slots)
            kept.append(call)
    return kept[::-1]
