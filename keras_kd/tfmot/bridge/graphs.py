"""The graph of a Functional or Sequential model, in terms that both libraries share."""

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
from keras.src import backend

from keras_kd.tfmot.bridge.directions import Direction, Unbridgeable, plain


@keras.saving.register_keras_serializable("keras_kd")
@dataclasses.dataclass(frozen=True)
class Slot:
    """The place of a tensor among the arguments and results of calls."""

    index: int

    def get_config(self) -> dict:
        """The index."""
        return {"index": self.index}

    @classmethod
    def from_config(cls, config: dict) -> "Slot":
        """The slot of an index."""
        return cls(**config)


@dataclasses.dataclass(frozen=True)
class Entry:
    """An input of a model: `keras.Input` with these arguments."""

    name: str
    shape: tuple
    dtype: str
    sparse: bool
    ragged: bool


@dataclasses.dataclass(frozen=True)
class Call:
    """An operation (a layer, most often) applied once; tensors are slots, `results` their numbers."""

    operation: Any
    args: tuple
    kwargs: dict
    results: list[int]
    tensors: dict[int, Any]  # the symbolic tensors behind the slots: shapes, dtypes, masks
    nested_masks: bool = False  # whether masks reach the model around it, which no symbolic tensor tells

    @property
    def slots(self) -> list[Slot]:
        """The tensors that the call reads."""
        return [leaf for leaf in keras.tree.flatten((self.args, self.kwargs)) if isinstance(leaf, Slot)]

    @property
    def masked(self) -> bool:
        """Whether a mask may arrive."""
        return self.nested_masks or any(mask is not None for mask in self.masks)

    @property
    def masks(self) -> list:
        """The symbolic masks of the tensors that the call reads."""
        return [backend.get_keras_mask(self.tensors[slot.index]) for slot in self.slots]


@dataclasses.dataclass(frozen=True)
class Graph:
    """A model as a list of calls, in an order in which they can be made."""

    entries: dict[int, Entry]
    inputs: Any
    outputs: Any
    calls: list[Call]
    sequential: bool


def graph_of(model: Any, direction: Direction, masked: bool = False) -> Graph:
    """The graph of a built Functional or Sequential model of either library, called on masked data or not."""
    sequential = isinstance(model, direction.source.Sequential)
    network = getattr(model, "_functional", None) if sequential and direction.forward else model
    if network is None or not getattr(network, "_nodes_by_depth", None):
        raise Unbridgeable("it is not built: call it on data, or give it an Input")
    inputs = network._inputs_struct if direction.forward else network._nested_inputs
    outputs = network._outputs_struct if direction.forward else network._nested_outputs
    tensors: dict[int, Any] = {}
    slots: dict[int, Slot] = {}

    def slot(tensor: Any) -> Slot:
        if id(tensor) not in slots:
            slots[id(tensor)] = Slot(len(slots))
            tensors[len(slots) - 1] = tensor
        return slots[id(tensor)]

    entries = {slot(tensor).index: entry(tensor, direction) for tensor in direction.flat(inputs)}
    inputs, outputs = (keras.tree.map_structure(slot, plain(structure)) for structure in (inputs, outputs))
    calls = (keras_calls if direction.forward else tf_keras_calls)(network, slot, tensors)
    calls = [dataclasses.replace(call, nested_masks=masked) for call in calls]
    return Graph(entries, inputs, outputs, needed(calls, outputs), sequential)


def entry(tensor: Any, direction: Direction) -> Entry:
    """What to make the input from."""
    layer = tensor._keras_history[0]
    if direction.forward:
        if getattr(layer, "optional", False):
            raise Unbridgeable(f"its input {layer.name!r} is optional, which tf_keras does not know")
        return Entry(
            layer.name, tuple(layer.batch_shape), layer.dtype, bool(layer.sparse), bool(layer.ragged)
        )
    spec = tensor.type_spec
    kind = type(spec).__name__
    dtype, shape = spec.dtype.name, tuple(spec.shape)
    return Entry(layer.name, shape, dtype, kind == "SparseTensorSpec", kind == "RaggedTensorSpec")


def nodes(network: Any) -> list:
    """The nodes of a graph from its inputs to its outputs, without the inputs themselves."""
    depths = sorted(network._nodes_by_depth, reverse=True)
    return [node for depth in depths for node in network._nodes_by_depth[depth] if not node.is_input]


def keras_calls(network: Any, slot: Callable, tensors: dict[int, Any]) -> list[Call]:
    """The calls of a Keras 3 graph."""
    calls = []
    for node in nodes(network):
        args, kwargs = node.arguments.args, node.arguments.kwargs
        implied = implied_masks(args, kwargs)

        def leaf(value: Any, implied: set = implied) -> Any:
            if not isinstance(value, keras.KerasTensor):
                return value
            return None if id(value) in implied else slot(value)

        args, kwargs = keras.tree.map_structure(leaf, (args, kwargs))
        results = [slot(tensor).index for tensor in node.outputs]
        calls.append(Call(node.operation, args, kwargs, results, tensors))
    return calls


def implied_masks(args: tuple, kwargs: dict) -> set[int]:
    """Masks which Keras passed by itself, as the other library does too; those a user passed stay."""
    given = {name: value for name, value in kwargs.items() if not name.endswith("mask")}
    masks = [backend.get_keras_mask(tensor) for tensor in keras.tree.flatten((args, given))]
    return {id(mask) for mask in masks if mask is not None}


def tf_keras_calls(network: Any, slot: Callable, tensors: dict[int, Any]) -> list[Call]:
    """The calls of a tf_keras graph."""
    calls = []

    def leaf(value: Any) -> Any:
        return slot(value) if hasattr(value, "_keras_history") else value

    for node in nodes(network):
        args, kwargs = keras.tree.map_structure(leaf, plain((tuple(node.call_args), node.call_kwargs)))
        results = [slot(tensor).index for tensor in keras.tree.flatten(plain(node.outputs))]
        calls.append(Call(node.layer, args, kwargs, results, tensors))
    return calls


def needed(calls: list[Call], outputs: Any) -> list[Call]:
    """The calls without which the outputs cannot be had: not the masks that are passed on by themselves."""
    wanted = {slot.index for slot in keras.tree.flatten(outputs)}
    kept = []
    for call in reversed(calls):
        if wanted.intersection(call.results):
            wanted.update(slot.index for slot in call.slots)
            kept.append(call)
    return kept[::-1]
