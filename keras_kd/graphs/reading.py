"""Reads Keras's own graph: the only module that walks its nodes."""

import dataclasses
import inspect
import itertools
from typing import Any

import keras

from keras_kd.graphs.graph import Call, Graph, Slot, slots_in
from keras_kd.keras_internals import (
    Node,
    functional_of,
    input_structure,
    mask_of,
    nodes_of,
    output_structure,
    runs_as_wired,
)


def is_graph(layer: object) -> bool:
    """Whether a layer is a built Functional or Sequential model that does not override `call`."""
    return runs_as_wired(layer) and functional_of(layer) is not None


def graph_of(model: keras.Model, *, strict: bool = True) -> Graph:
    """Read the graph of a built Functional or Sequential model; nested models stay closed.

    Args:
        model: The model.
        strict: Whether the graph must be what actually runs. If not, a functional model that overrides `call`
            is read as well.

    Raises:
        ValueError: The model is subclassed or not built, so it has no graph.

    Examples:
        >>> inputs = keras.Input((4,))
        >>> hidden = keras.layers.Dense(4, name="hidden")(inputs)
        >>> model = keras.Model(inputs, keras.layers.Add(name="sum")([inputs, hidden]))
        >>> [call.path for call in graph_of(model).calls]
        ['hidden', 'sum']
    """
    if functional_of(model) is None or (strict and not runs_as_wired(model)):
        raise ValueError(
            f"{getattr(model, 'name', model)!r} ({type(model).__name__}) has no graph to read: it must be a "
            "functional or sequential model that is built. Give a Sequential model an Input; wrap a "
            "subclassed one: inputs = keras.Input(shape); keras.Model(inputs, model(inputs))."
        )
    return _Reading(model).graph()


class _Reading:
    """Numbers the tensors of one model as they are met."""

    def __init__(self, model: keras.Model) -> None:
        self.model, self.network = model, functional_of(model)
        self.slots: dict[int, Slot] = {}
        self.symbols: list[keras.KerasTensor] = []
        self.nested: dict[int, Graph] = {}

    def slot(self, symbol: keras.KerasTensor) -> Slot:
        if id(symbol) not in self.slots:
            self.slots[id(symbol)] = Slot(len(self.symbols))
            self.symbols.append(symbol)
        return self.slots[id(symbol)]

    def graph(self) -> Graph:
        inputs, outputs = (
            keras.tree.map_structure(self.slot, structure(self.network))
            for structure in (input_structure, output_structure)
        )
        counts: dict[int, int] = {}
        calls = []
        for node in nodes_of(self.network):
            number = counts[id(node.operation)] = counts.get(id(node.operation), -1) + 1
            args, kwargs = self._arguments(node)
            results = tuple(map(self.slot, node.outputs))
            inner = self._inner(node.operation) if is_graph(node.operation) else None
            calls.append(Call(node.operation, args, kwargs, results, node.operation.name, number, inner))
        whole = Graph(self.model.name, inputs, outputs, tuple(self.symbols), tuple(calls), self.model)
        needed = whole.calls_between(slots_in(inputs), slots_in(outputs))  # without those of implied masks
        return dataclasses.replace(whole, calls=tuple(needed))

    def _inner(self, model: keras.Model) -> Graph:
        if id(model) not in self.nested:
            self.nested[id(model)] = graph_of(model)
        return self.nested[id(model)]

    def _arguments(self, node: Node) -> tuple[Any, Any]:
        args, kwargs = node.arguments.args, node.arguments.kwargs
        implied = _implied_masks(node.operation, args, kwargs)
        kwargs = {name: value for name, value in kwargs.items() if name not in implied}
        return keras.tree.map_structure(
            lambda leaf: self.slot(leaf) if isinstance(leaf, keras.KerasTensor) else leaf, (args, kwargs)
        )


def _implied_masks(operation: keras.Operation, args: tuple[Any, ...], kwargs: dict[str, Any]) -> set[str]:
    """The arguments that Keras filled in with the masks that tensors carry; masks passed by a user stay.

    A replacement of the operation may have no such argument, or get other masks.
    """
    if not isinstance(operation, keras.layers.Layer):
        return set()
    given = inspect.signature(operation.call).bind(*args, **kwargs).arguments
    tensors = {name: value for name, value in given.items() if _is_of_tensors(value)}
    filled = {f"{name}_mask": value for name, value in tensors.items()}
    others = [value for name, value in tensors.items() if name != "mask" and name not in filled]
    if len(others) == 1:
        filled["mask"] = others[0]
    return {name for name in kwargs.keys() & filled.keys() if _is_mask_of(kwargs[name], filled[name])}


def _is_of_tensors(value: Any) -> bool:
    leaves = keras.tree.flatten(value)
    return bool(leaves) and all(isinstance(leaf, keras.KerasTensor) for leaf in leaves)


def _is_mask_of(value: Any, tensors: Any) -> bool:
    """Whether a value is what Keras passes as the mask of tensors, which is `None` for those without one."""
    masks, leaves = map(mask_of, keras.tree.flatten(tensors)), keras.tree.flatten(value)
    return all(leaf is mask for leaf, mask in itertools.zip_longest(leaves, masks))
