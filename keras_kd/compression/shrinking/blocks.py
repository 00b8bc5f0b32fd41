"""Residual blocks that a model can lose: what is added to a tensor, and starts at that tensor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import keras

from keras_kd.graphs import Call, Graph, Slot, opened, slots_in
from keras_kd.keras_internals import is_of_keras, mask_of

# What attention consists of where it is written as operations.
_PRODUCTS = {"Matmul", "Einsum", "Dot"}


@dataclass(frozen=True, eq=False)
class Residual:
    """An addition `x + f(x)`: without its branch `f`, `x` is passed on.

    Attributes:
        addition: The call, in the opened graph.
        read: Which of the tensors that it reads is `x`, counted from 0.
        branch: The operations of `f` by their paths, with those inside nested models.
    """

    addition: Call
    read: int
    branch: dict[str, keras.Operation]

    @property
    def shortcut(self) -> Slot:
        """The tensor `x`."""
        return self.addition.reads[self.read]

    @property
    def result(self) -> Slot:
        """The tensor `x + f(x)`."""
        return self.addition.results[0]

    @property
    def attends(self) -> bool:
        """Whether the branch is attention."""
        kinds = {base.__name__ for operation in self.branch.values() for base in type(operation).__mro__}
        return any("Attention" in kind for kind in kinds) or ("Softmax" in kinds and bool(kinds & _PRODUCTS))

    @property
    def feeds_forward(self) -> bool:
        """Whether the branch treats each position for itself, as far as can be told."""
        sizes = [getattr(operation, "kernel_size", None) for operation in self.branch.values()]
        return not self.attends and all(max(size) == 1 for size in sizes if isinstance(size, tuple))


@dataclass(frozen=True, eq=False)
class Block:
    """Additions that are dropped together: one, or those of a transformer layer.

    Args:
        residuals: In the order of the graph.
    """

    residuals: tuple[Residual, ...]

    @property
    def path(self) -> str:
        """The path of its last addition."""
        return self.residuals[-1].addition.path

    @property
    def layers(self) -> tuple[str, ...]:
        """The paths of the layers that are gone without it."""
        operations = {
            path: operation
            for residual in self.residuals
            for path, operation in (
                *residual.branch.items(),
                (residual.addition.path, residual.addition.operation),
            )
        }
        return tuple(
            path for path, operation in operations.items() if isinstance(operation, keras.layers.Layer)
        )


def find_blocks(graph: Graph) -> list[Block]:
    """Find the blocks that can be dropped, in the order of the graph.

    A block is an addition of a tensor `x` and a branch with weights that starts at `x`, where nothing else
    reads what is inside the branch. Attention and the feed-forward branch directly after it, with or without
    a normalization between them, are one block, the layer of a transformer. Of blocks inside blocks, the
    inner ones are found.

    Args:
        graph: Of a model, with its nested models closed.

    Returns:
        The blocks; their calls and tensors are those of `opened(graph)`.

    Examples:
        >>> from keras_kd.graphs import graph_of
        >>> x = inputs = keras.Input((4,))
        >>> x = keras.layers.Add(name="add")([x, keras.layers.Dense(4)(x)])
        >>> model = keras.Model(inputs, keras.layers.Dense(2)(x))
        >>> [block.path for block in find_blocks(graph_of(model))]
        ['add']
    """
    whole = opened(graph)
    found = {call: look for call, look in _looks(graph, whole) if isinstance(look, Residual)}
    additions = {call.operation for call in found}
    outer = {call for call, look in found.items() if additions.intersection(look.branch.values())}
    return _whole_layers(whole, [found[call] for call in whole.calls if call in found and call not in outer])


def why_not_dropped(graph: Graph) -> dict[str, str]:
    """The additions that are no blocks, by path, and why."""
    return {call.path: look for call, look in _looks(graph, opened(graph)) if isinstance(look, str)}


def _looks(graph: Graph, whole: Graph) -> Iterator[tuple[Call, Residual | str]]:
    """Every addition of tensors, and what it is or why it is no residual addition."""
    for level, prefix in _levels(graph):
        for call in level.calls:
            shortcuts = _shortcuts(call)
            places = whole.calls_of(call.operation)
            if not shortcuts:
                continue
            if len(places) != 1:
                yield from ((place, "is called several times") for place in places)
            elif level is graph and call.results[0] in slots_in(graph.outputs):
                yield places[0], "is an output of the model"
            else:
                looks = [_look(level, prefix, call, read, places[0]) for read in shortcuts]
                yield places[0], next((look for look in looks if isinstance(look, Residual)), looks[0])


def _levels(graph: Graph, prefix: str = "") -> Iterator[tuple[Graph, str]]:
    """A graph and those of the models nested in it, with the beginnings of their paths."""
    yield graph, prefix
    for call in graph.calls:
        if call.inner is not None:
            yield from _levels(call.inner, f"{prefix}{call.path}/")


def _shortcuts(call: Call) -> Sequence[int]:
    """The tensors that an addition could pass on unchanged, by number; none for other operations."""
    kind = type(call.operation)
    if not is_of_keras(kind) or len(call.reads) < 2:
        return ()
    if kind.__name__ == "Add":  # a layer, or `x + y`
        return range(len(call.reads))
    return (0,) if kind.__name__ == "CustomScaleLayer" else ()  # `x + scale * y` of InceptionResNetV2


def _look(level: Graph, prefix: str, call: Call, read: int, place: Call) -> Residual | str:
    """The residual addition with one of its tensors as the shortcut, or why it is none."""
    shortcut, result = call.reads[read], call.results[0]
    branch = _only_for(level, call, shortcut)
    inside, reached = [], {shortcut}
    for one in branch:
        if reached.intersection(one.reads):
            reached.update(one.results)
            inside.append(one)
    added = {*call.reads[:read], *call.reads[read + 1 :]} - {shortcut}
    beside = [one for one in branch if one not in inside]
    if not added or not added <= reached or not _have_weights(inside) or _have_weights(beside):
        return "does not add a tensor and a branch with weights that starts at it and is read nowhere else"
    before, after = level.symbol(shortcut), level.symbol(result)
    if (before.shape, before.dtype) != (after.shape, after.dtype):
        return "changes the shape or type of what it adds to"
    if (mask_of(before) is None) != (mask_of(after) is None):
        return "does not pass the padding mask on"
    return Residual(
        place, read, {path: operation for one in branch for path, operation in _parts(one, prefix)}
    )


def _only_for(graph: Graph, addition: Call, shortcut: Slot) -> list[Call]:
    """The calls that nothing needs but an addition, without those that the shortcut comes from."""
    gone, stays = {addition}, {shortcut, *slots_in(graph.outputs)}
    for call in reversed(graph.calls[: graph.calls.index(addition)]):
        readers = {reader for slot in call.results for reader in graph.readers(slot)}
        if readers <= gone and not stays.intersection(call.results):
            gone.add(call)
    return [call for call in graph.calls if call in gone and call is not addition]


def _have_weights(calls: Sequence[Call]) -> bool:
    return any(getattr(call.operation, "weights", None) for call in calls)


def _parts(call: Call, prefix: str) -> Iterator[tuple[str, keras.Operation]]:
    """The operation of a call and those inside it, by their paths."""
    yield prefix + call.path, call.operation
    for inner in call.inner.calls if call.inner is not None else ():
        yield from _parts(inner, f"{prefix}{call.path}/")


def _whole_layers(graph: Graph, residuals: Sequence[Residual]) -> list[Block]:
    """The additions of each transformer layer as one block, and every other one alone."""
    blocks: list[Block] = []
    taken: set[Residual] = set()
    for residual in residuals:
        if residual not in taken:
            blocks.append(Block(_layer(graph, residual, residuals)))
            taken.update(blocks[-1].residuals)
    return blocks


def _layer(graph: Graph, first: Residual, residuals: Sequence[Residual]) -> tuple[Residual, ...]:
    """Attention, that to other tensors where there is one, and the feed-forward branch after them."""
    run = [first]
    while run[-1].attends and len(run) < 3:
        following = next((other for other in residuals if _follows(graph, run[-1], other)), None)
        if following is None:
            break
        run.append(following)
    return tuple(run) if run[-1].feeds_forward else (first,)


def _follows(graph: Graph, first: Residual, second: Residual) -> bool:
    """Whether an addition adds to the result of another one, or to what a normalization makes of it."""
    maker = graph.maker(second.shortcut)
    if maker is not None and "Normalization" in type(maker.operation).__name__:
        return maker.reads == (first.result,)
    return first.result == second.shortcut
