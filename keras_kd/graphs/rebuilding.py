"""A changed model made from a graph: what stays keeps its name and weights; the original is unchanged."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import keras

from keras_kd.graphs.changes import (
    Bypass,
    Replacement,
    check_replaced,
    check_shapes,
    check_unshared,
    input_names,
)
from keras_kd.graphs.copies import copied, copy_state
from keras_kd.graphs.graph import Call, Graph, Slot, slots_in
from keras_kd.graphs.reading import graph_of
from keras_kd.keras_internals import all_layers, is_of_keras, maker_of
from keras_kd.tensors import Shape

Arguments: TypeAlias = tuple[tuple[Any, ...], dict[str, Any]]


def rebuild(
    model: keras.Model | Graph,
    replaced: Mapping[keras.Operation, Replacement] | None = None,
    *,
    adapt: Callable[[Call, Arguments], Arguments] | None = None,
    input_shapes: Mapping[str, Shape] | None = None,
    name: str | None = None,
    reuse: bool = False,
) -> keras.Model:
    """Make a model like another one, with different operations in some places.

    Nested models stay nested, and shared layers shared. Layers that stay are copied with their names,
    weights, seeds, vocabularies and `trainable` flags; operations that are not layers hold no state and are
    reused. The original is not changed and shares no variable with the result, which contains nothing of
    this package.

    Args:
        model: A functional or sequential model, or a part of its graph (`Graph.cut`).
        replaced: For an operation of the model or of models nested in it: another operation, several that are
            called one after the other, or a `Bypass`. All calls of a shared layer are replaced. To keep a
            tap, give the last replacement the name of the original.
        adapt: Changes the arguments of a call, `adapt(call, (args, kwargs)) -> (args, kwargs)`: constants
            next to tensors, such as the `w` of `x * w`.
        input_shapes: New shapes for inputs, by the name of the tensor or of its `InputLayer`, including the
            batch axis.
        name: Of the result; by default the original's.
        reuse: Whether layers that stay are used in the result themselves, instead of copies.

    Returns:
        A model of the original's class, so that its `train_step` is kept, unless this class has an `__init__`
        of its own; else a functional model, or a `keras.Sequential` for a chain of layers that was one. It is
        not compiled.

    Raises:
        ValueError: The model has no graph, a layer cannot be copied, layers hold the same weights, an
            operation to replace is not in the model, a replacement is, no input has a given name, or a shape
            does not fit the operation that reads it.

    Examples:
        >>> dense = keras.layers.Dense(4, name="head")
        >>> model = keras.Sequential([keras.Input((8,)), dense])
        >>> narrow = [keras.layers.Dense(2, use_bias=False), keras.layers.Dense(4, name="head")]
        >>> [layer.name for layer in rebuild(model, {dense: narrow}).layers][-1]
        'head'
    """
    graph = model if isinstance(model, Graph) else graph_of(model)
    check_replaced(graph, replaced or {})
    check_unshared(graph, replaced or {})
    check_shapes(graph, input_shapes or {})
    changes = _Rebuilding(graph, dict(replaced or {}), adapt, reuse)
    made = changes.model(graph, dict(input_shapes or {}), name or graph.name)
    changes.copy_states()
    return made


class _Rebuilding:
    """Copies of the operations of one model and the models nested in it, each made once."""

    def __init__(
        self,
        graph: Graph,
        replaced: dict[keras.Operation, Replacement],
        adapt: Callable[[Call, Arguments], Arguments] | None,
        reuse: bool,
    ) -> None:
        self.reuse = reuse
        self.name, self.replaced, self.adapt = graph.name, replaced, adapt
        self.copies: dict[keras.Operation, keras.Operation] = {}
        self.models: list[tuple[keras.Model, keras.Model]] = []  # outer ones before inner ones

    def model(self, graph: Graph, shapes: Mapping[str, Shape], name: str) -> keras.Model:
        place, calls = len(self.models), self._needed(graph)
        entries = [_entry(graph, slot, shapes) for slot in slots_in(graph.inputs)]
        tensors = dict(zip(slots_in(graph.inputs), entries, strict=True))
        for call in calls:
            tensors.update(zip(call.results, self._results(call, tensors), strict=True))
        tensors.update(_passed_on(graph, tensors, entries))
        if isinstance(graph.model, keras.Sequential) and (chain := self._chain(calls)):
            made = _class_for(graph.model)([maker_of(entries[0])[0], *chain], name=name)
        else:
            inputs, outputs = _filled((graph.inputs, graph.outputs), tensors)
            make = keras.Model if isinstance(graph.model, keras.Sequential) else _class_for(graph.model)
            made = make(inputs, outputs, name=name)
        if graph.model is not None:
            made.dtype_policy = graph.model.dtype_policy  # `compile` asks it whether to scale the loss
            self.models.insert(place, (graph.model, made))
        return made

    def _needed(self, graph: Graph) -> list[Call]:
        """The calls needed to compute the outputs: a bypass reads one tensor only."""
        wanted, needed = set(slots_in(graph.outputs)), []
        for call in reversed(graph.calls):
            if wanted.intersection(call.results):
                change = self.replaced.get(call.operation)
                wanted.update([call.reads[change.read]] if isinstance(change, Bypass) else call.reads)
                needed.append(call)
        return needed[::-1]

    def _results(self, call: Call, tensors: Mapping[Slot, Any]) -> list[Any]:
        """What replaces the results of a call."""
        change = self.replaced.get(call.operation)
        if isinstance(change, Bypass):
            return [tensors[call.reads[change.read]]]
        first, *others = self._steps(call, tensors)
        args, kwargs = _filled((call.args, call.kwargs), tensors)
        if self.adapt is not None:
            args, kwargs = self.adapt(call, (args, kwargs))
        try:
            outputs = first(*args, **kwargs)
            for operation in others:
                outputs = operation(outputs)
        except (ValueError, TypeError) as error:
            error.add_note(f"This was {call.path!r} of {self.name!r}, while it was rebuilt.")
            raise
        results = keras.tree.flatten(outputs)
        if len(results) != len(call.results):
            raise ValueError(
                f"What replaces {call.path!r} of {self.name!r} returns {len(results)} tensors, and "
                f"{call.path!r} returned {len(call.results)}."
            )
        return results

    def _steps(self, call: Call, tensors: Mapping[Slot, Any]) -> Sequence[keras.Operation]:
        """The operations called in place of a call's operation."""
        change = self.replaced.get(call.operation)
        if change is not None and not isinstance(change, Bypass):
            return change if isinstance(change, Sequence) else [change]
        if call.operation not in self.copies:
            if call.inner is None:
                own = call.operation if self.reuse else copied(call.operation, self.name)
                self.copies[call.operation] = own
            else:
                shapes = _inner_shapes(call.inner, [tensors[slot] for slot in call.entries])
                self.copies[call.operation] = self.model(call.inner, shapes, call.operation.name)
        return [self.copies[call.operation]]

    def _chain(self, calls: Sequence[Call]) -> list[keras.layers.Layer]:
        """The layers of a model that was Sequential; none if it is no longer a chain of layers."""
        kept = [call for call in calls if not isinstance(self.replaced.get(call.operation), Bypass)]
        steps = [step for call in kept for step in self._steps(call, {})]
        return steps if all(isinstance(step, keras.layers.Layer) for step in steps) else []

    def copy_states(self) -> None:
        """Copy the state of every original to its copy, once all copies are built."""
        for original, model in self.models:
            if model.trainable != original.trainable:
                model.trainable = original.trainable  # first, because this sets the flags of all its layers
        for original, copy in self.copies.items():
            if (
                copy is not original
                and isinstance(copy, keras.layers.Layer)
                and not any(copy is model for _, model in self.models)
            ):
                copy_state(original, copy)


def _entry(graph: Graph, slot: Slot, shapes: Mapping[str, Shape]) -> keras.KerasTensor:
    """An input like the original's, or one for a tensor from inside of the model."""
    symbol = graph.symbol(slot)
    layer = maker_of(symbol)[0]
    shape = next((shapes[name] for name in input_names(symbol) if name in shapes), tuple(symbol.shape))
    if not isinstance(layer, keras.layers.InputLayer):
        return keras.Input(batch_shape=shape, dtype=symbol.dtype, name=symbol.name)
    if isinstance(graph.model, keras.Sequential) and not _is_stateful(graph.model):
        shape = (None, *shape[1:])  # it may be that of the data on which Keras built the model
    return type(layer).from_config({**layer.get_config(), "batch_shape": shape}).output


def _passed_on(
    graph: Graph, tensors: Mapping[Slot, Any], entries: Sequence[keras.KerasTensor]
) -> Iterator[tuple[Slot, Any]]:
    """Outputs for which nothing but an input is left: Keras cannot nest a model that returns it as it is."""
    for slot in slots_in(graph.outputs):
        call, tensor = graph.maker(slot), tensors[slot]
        if call is not None and any(tensor is entry for entry in entries):
            yield slot, keras.layers.Identity(dtype=tensor.dtype, name=call.operation.name)(tensor)


def _class_for(model: keras.Model | None) -> Callable[..., keras.Model]:
    """The class of a model, for its `train_step`; a plain one where `__init__` may take what is not known."""
    if model is not None and is_of_keras(type(model).__init__):
        return type(model)
    return keras.Sequential if isinstance(model, keras.Sequential) else keras.Model


def _is_stateful(model: keras.Model) -> bool:
    """Whether a layer keeps state for each sample of a batch, so that the batch size is fixed."""
    return any(getattr(layer, "stateful", False) for layer in all_layers(model))


def _inner_shapes(graph: Graph, given: Sequence[keras.KerasTensor]) -> dict[str, Shape]:
    """The shapes of a nested model's inputs, by name; axes that were dynamic stay dynamic."""
    symbols = [graph.symbol(slot) for slot in slots_in(graph.inputs)]
    return {
        symbol.name: tuple(
            None if old is None else new for old, new in zip(symbol.shape, tensor.shape, strict=True)
        )
        for symbol, tensor in zip(symbols, given, strict=True)
        if len(symbol.shape) == len(tensor.shape)
    }


def _filled(structure: Any, tensors: Mapping[Slot, Any]) -> Any:
    """The structure with tensors in place of slots."""
    return keras.tree.map_structure(lambda leaf: tensors[leaf] if isinstance(leaf, Slot) else leaf, structure)
