"""The changes that `rebuild` accepts, checked before anything is built."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

import keras

from keras_kd.graphs.copies import NotCopied
from keras_kd.graphs.graph import Call, Graph, slots_in
from keras_kd.keras_internals import all_layers, maker_of
from keras_kd.messages import did_you_mean
from keras_kd.tensors import Shape


@dataclasses.dataclass(frozen=True)
class Bypass:
    """Replaces an operation by its own input, which is passed on unchanged.

    Operations that only fed its other inputs are left out of the model, such as the branch of a residual
    block whose addition is bypassed.

    Args:
        read: Which of its inputs is passed on, counted from 0.
    """

    read: int = 0


Replacement: TypeAlias = keras.Operation | Sequence[keras.Operation] | Bypass


def all_calls(graph: Graph) -> Iterator[Call]:
    """The calls of a graph, and those inside its nested models."""
    for call in graph.calls:
        yield call
        if call.inner is not None:
            yield from all_calls(call.inner)


def check_replaced(graph: Graph, replaced: Mapping[keras.Operation, Replacement]) -> None:
    """Raise a `ValueError` for an invalid replacement, or for one without effect on the result."""
    calls = list(all_calls(graph))
    for operation, change in replaced.items():
        own = [call for call in calls if call.operation is operation]
        name = getattr(operation, "name", operation)
        if not own:
            raise ValueError(f"{name!r} is not in {graph.name!r}, so it cannot be replaced there.")
        if isinstance(change, Bypass):
            _check_bypass(own, change)
        else:
            steps = change if isinstance(change, Sequence) else [change]
            _check_steps(name, steps, {id(layer) for call in calls for layer in _layers_of(call)})
    for call in calls:
        inside = {id(inner.operation) for inner in all_calls(call.inner)} if call.inner is not None else set()
        lost = [other.name for other in replaced if call.operation in replaced and id(other) in inside]
        if lost:
            raise ValueError(
                f"{call.path!r} is replaced as a whole, so {lost[0]!r} inside it cannot be replaced too."
            )


def _layers_of(call: Call) -> list[keras.layers.Layer]:
    return all_layers(call.operation) if isinstance(call.operation, keras.layers.Layer) else []


def _check_bypass(calls: Sequence[Call], bypass: Bypass) -> None:
    for call in calls:
        if not 0 <= bypass.read < len(call.reads):
            raise ValueError(f"{call.path!r} reads {len(call.reads)} tensors. Received: {bypass}.")
        if len(call.results) > 1:
            raise ValueError(
                f"{call.path!r} returns {len(call.results)} tensors, so one of its inputs cannot replace it."
            )


def _check_steps(name: str, steps: Sequence[keras.Operation], own: set[int]) -> None:
    if not steps:
        raise ValueError(f"No replacement is given for {name!r}. To leave it out, use Bypass().")
    for step in steps:
        if not isinstance(step, keras.Operation):
            raise ValueError(
                f"{name!r} can be replaced by layers and other keras.Operations. Received: {step!r}."
            )
        if id(step) in own:
            raise ValueError(
                f"{name!r} cannot be replaced by {step.name!r}, which is a layer of the model itself: the "
                "result would share its weights. Give a new layer."
            )


def check_unshared(graph: Graph, replaced: Mapping[keras.Operation, Replacement]) -> None:
    """Raise an error if two layers hold the same variable: their copies would each have their own."""
    owners: dict[int, keras.layers.Layer] = {}
    for call in all_calls(graph):
        layer = call.operation
        if call.inner is not None or layer in replaced:  # which is not copied
            continue
        for variable in getattr(layer, "variables", ()):
            other = owners.setdefault(id(variable), layer)
            if other is not layer:
                raise NotCopied(
                    f"The layers {other.name!r} and {layer.name!r} of {graph.name!r} hold the same weights: "
                    "copies of them would each have their own. Call one layer in both places instead."
                )


def check_shapes(graph: Graph, shapes: Mapping[str, Shape]) -> None:
    """Raise a `ValueError` for the shape of an input that does not exist."""
    names = [name for slot in slots_in(graph.inputs) for name in input_names(graph.symbol(slot))]
    for name in shapes:
        if name not in names:
            raise ValueError(f"{graph.name!r} has no input {name!r}.{did_you_mean(name, names)}")


def input_names(symbol: keras.KerasTensor) -> list[str]:
    """The names that refer to an input: that of its tensor, and that of its `InputLayer`."""
    layer = maker_of(symbol)[0]
    return [symbol.name, *([layer.name] if isinstance(layer, keras.layers.InputLayer) else [])]
