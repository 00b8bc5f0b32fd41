"""Layers made of layers, opened: nested models in place of layers whose `call` only calls others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import keras

from keras_kd.graphs.changes import all_calls
from keras_kd.graphs.copies import copied, copy_state
from keras_kd.graphs.graph import Call, Graph, Slot
from keras_kd.graphs.reading import graph_of, is_graph
from keras_kd.graphs.rebuilding import rebuild
from keras_kd.keras_internals import (
    child_layers,
    is_of_keras,
    mask_of,
    own_trainable_variables,
    own_untrainable_variables,
    takes_training,
)
from keras_kd.messages import one_line
from keras_kd.paths import layers_by_path


class Opened(NamedTuple):
    """A model with its layers of layers opened.

    Attributes:
        model: The model itself where nothing could be opened.
        closed: Layers that hold layers and could not be opened, by path, and why.
    """

    model: keras.Model
    closed: dict[str, str]


def open_layers(model: keras.Model, *, own: bool = False) -> Opened:
    """Replace the layers that users, or libraries such as KerasHub, have made of layers by nested models.

    A nested model has the name of the layer that it replaces, and the layers inside it have the names of the
    attributes that held them, so that paths such as `"block1/first"` stay. It computes the same, in training
    too: what Python code decides on `training` must be left to the layers inside.

    Args:
        model: A built functional or sequential model; it is not changed.
        own: Whether the layers may be used in the result, because the model is not used any more.
    """
    graph, closed = graph_of(model), {}
    replaced: dict[keras.Operation, keras.Operation] = {}
    sites: dict[keras.Operation, list[_Site]] = {}
    for site in _sites(graph):
        if is_composite(site.call.operation):
            sites.setdefault(site.call.operation, []).append(site)
    for operation, found in sites.items():
        path = found[0].path
        try:
            inner = open_layers(_traced(found, own), own=True)
        except Exception as error:  # anything can happen in the code of a user that meets symbolic tensors
            closed[path] = f"its call cannot be read: {one_line(error)}"
            continue
        replaced[operation] = inner.model
        closed.update({f"{path}/{below}": why for below, why in inner.closed.items()})
    return Opened(rebuild(model, replaced, adapt=_Listed(replaced), reuse=own) if replaced else model, closed)


def is_composite(operation: object) -> bool:
    """Whether an operation is a layer, not Keras's own, that holds layers and no weights of its own."""
    if not isinstance(operation, keras.layers.Layer) or is_of_keras(type(operation)) or is_graph(operation):
        return False
    own = own_trainable_variables(operation) or own_untrainable_variables(operation)
    return bool(child_layers(operation)) and not own


class _Listed:
    """Changes the calls of replaced layers: a nested model takes its tensors as a list, each of them once."""

    def __init__(self, replaced: Mapping[keras.Operation, keras.Operation]) -> None:
        self.replaced = replaced

    def __call__(self, call: Call, given: tuple[Any, Any]) -> tuple[Any, Any]:
        if call.operation not in self.replaced:
            return given
        leaves = [leaf for leaf in keras.tree.flatten(given) if isinstance(leaf, keras.KerasTensor)]
        tensors = list(dict(zip(call.reads, leaves, strict=True)).values())
        return (tensors[0] if len(tensors) == 1 else tensors,), {}


class _Site(NamedTuple):
    """A call in a graph or in its nested models.

    Attributes:
        graph: The graph that it is in.
        call: The call.
        path: Of what is called, from the outermost model.
        masked: Whether a padding mask may come with what it reads.
    """

    graph: Graph
    call: Call
    path: str
    masked: bool


def _sites(graph: Graph, prefix: str = "", masked: bool = False) -> list[_Site]:
    """The calls of a graph and of its nested models."""
    found = []
    for call in graph.calls:
        path = prefix + call.path
        has_mask = masked or any(mask_of(graph.symbol(slot)) is not None for slot in call.reads)
        found.append(_Site(graph, call, path, has_mask))
        if call.inner is not None:
            found += _sites(call.inner, f"{path}/", has_mask)
    return found


def _traced(sites: Sequence[_Site], own: bool) -> keras.Model:
    """A model of what a layer calls, with its weights, or a copy of them."""
    graph, call = sites[0].graph, sites[0].call
    layer = call.operation
    assert isinstance(layer, keras.layers.Layer)
    if len({(id(site.graph.model), site.call.number) for site in sites}) > 1:
        raise ValueError("it is called several times")
    if any(site.masked for site in sites):  # a nested model passes masks on by rules of its own
        raise ValueError("it is passed a padding mask of Keras")
    copy = layer if own else _copy(graph, call)
    for path, part in layers_by_path(copy).items():
        if "/" not in path:
            part.name = path
        elif path.count("/") == 1 and path.split("/")[1].isdigit():
            part.name = path.replace("/", "_")
    made = _traced_model(graph, call, copy, None)
    if takes_training(copy):
        kinds = [
            [type(c.operation) for c in all_calls(graph_of(_traced_model(graph, call, copy, t)))]
            for t in (True, False)
        ]
        if kinds[0] != kinds[1]:
            raise ValueError("it computes something else in training")
    lost = {id(v) for v in copy.variables} - {id(v) for v in made.variables}
    if lost:
        raise ValueError("it has weights that its call does not use through layers")
    return made


def _copy(graph: Graph, call: Call) -> keras.layers.Layer:
    layer, copy = call.operation, copied(call.operation, graph.name)
    assert isinstance(layer, keras.layers.Layer)
    assert isinstance(copy, keras.layers.Layer)
    args, kwargs = _filled(call, {slot: graph.symbol(slot) for slot in call.reads})
    copy(*args, **kwargs)  # builds it
    copy_state(layer, copy)
    return copy


def _traced_model(graph: Graph, call: Call, layer: keras.layers.Layer, training: bool | None) -> keras.Model:
    entries = {
        slot: keras.Input(batch_shape=graph.shape(slot), dtype=graph.symbol(slot).dtype)
        for slot in call.reads
    }
    args, kwargs = _filled(call, entries)
    if takes_training(layer):
        kwargs = {**kwargs, "training": training}
    return keras.Model(list(entries.values()), layer.call(*args, **kwargs), name=layer.name)


def _filled(call: Call, tensors: Mapping[Slot, Any]) -> tuple[Any, Any]:
    return keras.tree.map_structure(
        lambda leaf: tensors[leaf] if isinstance(leaf, Slot) else leaf, (call.args, call.kwargs)
    )
