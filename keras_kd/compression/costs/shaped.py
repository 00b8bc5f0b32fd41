"""Graphs in which every shape is known: shapes are inferred anew, and no weight is copied."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras

from keras_kd.graphs import Call, Graph, Slot, slots_in
from keras_kd.messages import one_line


def reshaped(graph: Graph, symbols: Sequence[keras.KerasTensor]) -> Graph:
    """The same graph for inputs of other shapes.

    Operations infer what they return; nothing is computed, and nothing of the model is changed.

    Args:
        graph: A graph, whose nested models may be opened.
        symbols: A tensor for each input, with the new shape.

    Raises:
        ValueError: An operation does not take such a shape.
    """
    found = dict(zip(slots_in(graph.inputs), symbols, strict=True))
    for call in graph.calls:
        found.update(zip(call.results, _results(graph, call, found), strict=True))
    changed = [found.get(Slot(index), symbol) for index, symbol in enumerate(graph.symbols)]
    return dataclasses.replace(graph, symbols=tuple(changed))


def _results(graph: Graph, call: Call, found: dict[Slot, keras.KerasTensor]) -> list[keras.KerasTensor]:
    args, kwargs = filled((call.args, call.kwargs), found)
    try:
        return list(keras.tree.flatten(call.operation.compute_output_spec(*args, **kwargs)))
    except Exception as error:  # an operation of a user may raise anything
        shapes = ", ".join(str(tuple(found[slot].shape)) for slot in call.reads)
        raise ValueError(
            f"{call.path!r} of {graph.name!r} does not take the shape {shapes}: {one_line(error)}"
        ) from error


def filled(structure: Any, found: dict[Slot, keras.KerasTensor]) -> Any:
    """A structure with tensors in place of slots."""
    return keras.tree.map_structure(lambda leaf: found[leaf] if isinstance(leaf, Slot) else leaf, structure)
