"""Which input or output of a file is which of its model: the one rule, for files of every tool.

TensorFlow's converter sorts what a signature names, and calls what has no name after layers or tensors, with
numbers that change from run to run. So the order in a file says nothing; names do, else numbers, else shapes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from keras_kd.deployment.tensor_details import TensorDetails
from keras_kd.deployment.tensor_names import plain_names

_NUMBERED = re.compile(r"(.+)[_:](\d+)")
# What Keras calls an input without a name when it is made, and when it is loaded.
_SAME_STEMS = {"keras_tensor": "input_layer"}


@dataclass(frozen=True)
class Named:
    """The inputs, or the outputs, of a model.

    Args:
        tensors: what they are, in the model's order, under the names that they go by here.
        others: other sets of names for all of them, in the same order, such as Keras's own.
    """

    tensors: tuple[TensorDetails, ...]
    others: tuple[tuple[str, ...], ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names that they go by here."""
        return tuple(tensor.name for tensor in self.tensors)

    def forms(self) -> list[tuple[str, ...]]:
        """Every set of names that a file may have for all of them, the most telling one first."""
        sets = [self.names, *self.others]
        sets += [tuple(plain_names(names)) for names in sets]
        return [names for names in dict.fromkeys(sets) if len(set(names)) == len(self.tensors)]


def pair(mine: Named, theirs: Sequence[TensorDetails]) -> dict[str, str] | None:
    """Each name of a model -> its name in a file, or `None` if it cannot be told.

    The names decide, whatever they stand for. Everything else is a guess, which must fit the shapes.

    Args:
        mine: the inputs, or the outputs, of the model.
        theirs: those of the file.
    """
    if len(mine.tensors) != len(theirs):
        return None
    found = pair_by_name(mine, theirs)
    if found is not None or len(theirs) == 1:
        return found or {mine.names[0]: theirs[0].name}
    guesses: tuple[Callable[[], list[str] | None], ...] = (
        lambda: _by_stem(mine, theirs),
        lambda: _by_number(theirs),
        lambda: _by_shape(mine, theirs),
    )
    details = {tensor.name: tensor for tensor in theirs}
    for guess in guesses:
        names = guess()
        if names and all(may_be_same(a, details[b]) for a, b in zip(mine.tensors, names, strict=True)):
            return dict(zip(mine.names, names, strict=True))
    return None


def pair_by_name(mine: Named, theirs: Sequence[TensorDetails]) -> dict[str, str] | None:
    """As `pair` does, but by one of the sets of names alone."""
    found = {tensor.name for tensor in theirs}
    form = next((names for names in mine.forms() if set(names) == found), None)
    return None if form is None else dict(zip(mine.names, form, strict=True))


def may_be_same(tensor: TensorDetails, other: TensorDetails) -> bool:
    """Whether these are of one shape, and both of floats or neither."""
    sizes = zip(tensor.shape[1:], other.shape[1:], strict=False)
    return (
        len(tensor.shape) == len(other.shape)
        and ("float" in tensor.value_dtype) == ("float" in other.value_dtype)
        and all(size is None or theirs is None or size == theirs for size, theirs in sizes)
    )


def _by_stem(mine: Named, theirs: Sequence[TensorDetails]) -> list[str] | None:
    """Names that differ in their numbers alone: those of one stem have one order in model and file."""
    there = sorted(_split([tensor.name for tensor in theirs]))
    for names in [*mine.forms()[1:], mine.names]:
        here = sorted(_split(names))
        if [stem for stem, *_ in here] == [stem for stem, *_ in there]:
            found = {name: other for (*_, name), (*_, other) in zip(here, there, strict=True)}
            return [found[name] for name in names]
    return None


def _by_number(theirs: Sequence[TensorDetails]) -> list[str] | None:
    """Names of the file that are numbers and no more: they count in the model's order."""
    split = sorted(_split([tensor.name for tensor in theirs]))
    return [name for *_, name in split] if len({stem for stem, *_ in split}) == 1 else None


def _by_shape(mine: Named, theirs: Sequence[TensorDetails]) -> list[str] | None:
    """Shapes and types that are those of one tensor each."""
    fitting = [[other.name for other in theirs if may_be_same(tensor, other)] for tensor in mine.tensors]
    names = [found[0] for found in fitting if len(found) == 1]
    return names if len(set(names)) == len(theirs) else None


def _split(names: Sequence[str]) -> list[tuple[str, int, str]]:
    """Stem, number and name of each: "dense" and "dense_1" are of one stem, "args_0" and "args_0_1" too."""
    matches = [_NUMBERED.fullmatch(name) for name in names]
    stems = {match[1] for match in matches if match}
    parts = [
        (match[1], int(match[2])) if match and name not in stems else (name, -1)
        for name, match in zip(names, matches, strict=True)
    ]
    return [
        (_SAME_STEMS.get(stem, stem), number, name) for (stem, number), name in zip(parts, names, strict=True)
    ]
