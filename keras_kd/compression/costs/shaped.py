"""Graphs in which every shape is known: shapes are inferred anew, and no weight is copied."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import keras

from keras_kd.graphs import Call, Graph, Slot, graph_of, opened, slots_in
from keras_kd.graphs.changes import input_names
from keras_kd.keras_internals import all_layers
from keras_kd.messages import did_you_mean, one_line

InputShape: TypeAlias = Sequence[int] | Mapping[str, Sequence[int]] | None


def shaped(model: keras.Model, input_shape: InputShape = None, batch_size: int = 1) -> Graph:
    """The graph of a model with nested models opened, for one size of its inputs.

    Args:
        model: A built functional or sequential model.
        input_shape: The shape of its input without the batch, or shapes by the names of inputs. Only axes
            that the model leaves free can be chosen.
        batch_size: Of the batch, unless the model fixes it.

    Raises:
        TypeError: The shape is not made of integers.
        ValueError: An axis stays free, or is another one than the model's; the model has no graph.
    """
    graph = opened(graph_of(model))
    given, names = _by_name(model, input_shape), names_of_inputs(model)
    sized = []
    for name, symbol in zip(names, model.inputs, strict=True):
        fixed, *axes = symbol.shape
        shape = _checked(name, given.get(name, axes), axes)
        batch = batch_size if fixed is None or _is_of_data(model) else fixed
        sized.append(keras.KerasTensor((batch, *shape), symbol.dtype, name=symbol.name))
    return reshaped(graph, sized)


def _is_of_data(model: keras.Model) -> bool:
    """Whether the batch size of a model may be that of the data on which Keras built it."""
    stateful = any(getattr(layer, "stateful", False) for layer in all_layers(model))
    return isinstance(model, keras.Sequential) and not stateful


def names_of_inputs(model: keras.Model) -> list[str]:
    """The names of the inputs, in order."""
    return [input_names(symbol)[-1] for symbol in model.inputs]


def _by_name(model: keras.Model, input_shape: InputShape) -> dict[str, Sequence[int]]:
    """The given shapes by the names of inputs."""
    names = names_of_inputs(model)
    if input_shape is None:
        return {}
    if not isinstance(input_shape, Mapping):
        if len(names) > 1:
            raise ValueError(
                f"{model.name!r} has several inputs, so input_shape must be a dict with a shape for each of "
                f"{', '.join(map(repr, names))}. Received: {input_shape!r}."
            )
        return {names[0]: input_shape}
    known = {
        alias: name for name, symbol in zip(names, model.inputs, strict=True) for alias in input_names(symbol)
    }
    for alias in input_shape:
        if alias not in known:
            raise ValueError(f"{model.name!r} has no input {alias!r}.{did_you_mean(str(alias), names)}")
    return {known[alias]: shape for alias, shape in input_shape.items()}


def _checked(name: str, shape: Sequence[int | None], axes: Sequence[int | None]) -> tuple[int, ...]:
    """The shape, if it is whole and fits the axes of the model."""
    whole = isinstance(shape, Sequence) and all(type(size) in (int, type(None)) for size in shape)
    if not whole:
        raise TypeError(f"The shape of the input {name!r} must be a tuple of integers. Received: {shape!r}.")
    fits = len(shape) == len(axes) and all(own in (None, size) for own, size in zip(axes, shape, strict=True))
    if not fits or any(size is not None and size < 1 for size in shape):
        raise ValueError(
            f"The input {name!r} has the shape {tuple(axes)} without the batch; input_shape can set what is "
            f"None there. Received: {tuple(shape)}."
        )
    if None in shape:
        raise ValueError(
            f"The input {name!r} has free axes: {tuple(axes)} without the batch. Its cost depends on them: "
            f"give input_shape, such as {tuple(size or 224 for size in axes)}."
        )
    return tuple(size for size in shape if size is not None)


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
