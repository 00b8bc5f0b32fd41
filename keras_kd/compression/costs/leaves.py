"""The operations that a call runs in the end: inside nested models, wrappers and layers of users."""

import dataclasses
import inspect
from collections.abc import Iterator
from typing import Any, NamedTuple

import keras
from keras import layers

from keras_kd.compression.costs.shaped import filled, reshaped
from keras_kd.graphs import Call, Graph, graph_of, is_graph, shared_copy, slots_in
from keras_kd.keras_internals import is_of_keras, takes_training
from keras_kd.tensors import Shape


@dataclasses.dataclass(frozen=True, eq=False)
class Leaf:
    """An operation with its arguments: symbolic tensors, whose shapes and types are known."""

    operation: keras.Operation
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def argument(self, name: str) -> Any:
        """An argument by its name, or `None` if it was not given."""
        return inspect.signature(self.operation.call).bind(*self.args, **self.kwargs).arguments.get(name)

    @property
    def tensors(self) -> list[keras.KerasTensor]:
        """The tensors among its arguments, in order."""
        leaves = keras.tree.flatten((self.args, self.kwargs))
        return [leaf for leaf in leaves if isinstance(leaf, keras.KerasTensor)]

    @property
    def shapes(self) -> list[Shape]:
        """The shapes of its tensors, constants included, in order."""
        leaves = keras.tree.flatten((self.args, self.kwargs))
        return [tuple(leaf.shape) for leaf in leaves if hasattr(leaf, "shape")]

    @property
    def returned(self) -> Shape:
        """The shape of the first tensor that it returns."""
        results = self.operation.compute_output_spec(*self.args, **self.kwargs)
        return tuple(keras.tree.flatten(results)[0].shape)


class Inside(NamedTuple):
    """What is inside an operation.

    Attributes:
        graph: The graph.
        entries: The tensors among the operation's arguments that are its inputs.
    """

    graph: Graph
    entries: list[keras.KerasTensor]


def leaf_of(call: Call, graph: Graph) -> Leaf:
    """A call of a graph with its arguments."""
    found = {slot: graph.symbol(slot) for slot in call.reads}
    args, kwargs = filled((call.args, call.kwargs), found)
    return Leaf(call.operation, args, kwargs)


def leaves(leaf: Leaf) -> Iterator[Leaf]:
    """What an operation runs in the end: itself, or what is inside it if that can be read."""
    operation = leaf.operation
    if isinstance(operation, layers.TimeDistributed):
        yield from leaves(_of_all_steps(operation, leaf))
    elif isinstance(operation, layers.SpectralNormalization):
        yield from leaves(Leaf(operation.layer, leaf.args[:1], {}))
    elif isinstance(operation, layers.Bidirectional):
        for direction in (operation.forward_layer, operation.backward_layer):
            yield from leaves(Leaf(direction, leaf.args[:1], {}))
    elif is_composed(operation) and (found := inside(leaf)) is not None:
        for call in found.graph.calls:
            yield from leaves(leaf_of(call, found.graph))
    else:
        yield leaf


def is_composed(operation: keras.Operation) -> bool:
    """Whether an operation is made of others that only its graph or its `call` tells of."""
    if isinstance(operation, (keras.Model, layers.Lambda)):
        return True
    owner = next(kind for kind in type(operation).__mro__ if "call" in vars(kind))
    return isinstance(operation, layers.Layer) and not is_of_keras(owner)


def inside(leaf: Leaf) -> Inside | None:
    """The graph inside a model or a layer of a user; `None` if its `call` takes no symbolic tensors."""
    model = leaf.operation
    if is_graph(model):
        graph = graph_of(model)
        entries = _entries(graph, leaf)
        return Inside(reshaped(graph, entries), entries)
    symbols: list[keras.KerasTensor] = []

    def entry(value: Any) -> Any:
        if not isinstance(value, keras.KerasTensor):
            return value
        symbols.append(keras.Input(batch_shape=value.shape, dtype=value.dtype))
        return symbols[-1]

    args, kwargs = keras.tree.map_structure(entry, (leaf.args, leaf.kwargs))
    if takes_training(model):
        kwargs.setdefault("training", False)
    try:
        # A copy, because Keras notes in each layer where it was called.
        graph = graph_of(keras.Model(symbols, shared_copy(model).call(*args, **kwargs)))
    except Exception:  # it may do anything with its tensors
        return None
    return Inside(graph, leaf.tensors)


def _entries(graph: Graph, leaf: Leaf) -> list[keras.KerasTensor]:
    """What is given to each input of a model."""
    given = leaf.args[0] if leaf.args else leaf.kwargs["inputs"]
    names = [graph.symbol(slot).name for slot in slots_in(graph.inputs)]
    if isinstance(given, dict) and not isinstance(graph.inputs, dict):
        return [given[name] for name in names]
    return list(keras.tree.flatten(given))[: len(names)]


def _of_all_steps(wrapper: layers.TimeDistributed, leaf: Leaf) -> Leaf:
    """The wrapped layer, called on all time steps as one batch."""
    sequence = leaf.args[0] if leaf.args else leaf.kwargs["inputs"]
    batch, steps, *rest = sequence.shape
    merged = None if batch is None or steps is None else batch * steps
    return Leaf(wrapper.layer, (keras.KerasTensor((merged, *rest), sequence.dtype),), {})
