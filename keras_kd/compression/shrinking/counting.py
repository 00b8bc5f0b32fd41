"""How many channels of each group are kept, so that a model is as small as was asked."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from keras_kd.compression.shrinking.groups import Group
from keras_kd.compression.shrinking.sizes import Sizes

_NEAR = 0.99  # of a budget: there are seldom numbers of channels that use all of it


@dataclass(frozen=True)
class Budget:
    """How large a model may be.

    Args:
        measure: What is limited: `"channels"`, `"parameters"`, ...
        keep: How much of the original may be left, a fraction.
        whole: The size of the original.
        besides: What comes on top in any case: channels of layers that have a fraction of their own.
    """

    measure: str
    keep: float
    whole: float
    besides: float = 0.0

    @property
    def most(self) -> float:
        """The limit; sums of floating-point numbers may miss it by a little."""
        return (self.besides + self.keep * self.whole) * (1 + 1e-9)

    def includes(self, sizes: Sizes, counts: Sequence[int]) -> bool:
        """Whether a model with these numbers of channels is small enough."""
        return sizes.measure(self.measure, counts) <= self.most

    def is_used_up(self, sizes: Sizes, counts: Sequence[int]) -> bool:
        """Whether such a model is nearly as large as it may be."""
        return sizes.measure(self.measure, counts) >= _NEAR * self.most

    def require(self, sizes: Sizes, counts: Sequence[int]) -> None:
        """Raise a `ValueError` unless the smallest model, with these numbers, is small enough."""
        if self.includes(sizes, counts):
            return
        least = (sizes.measure(self.measure, counts) - self.besides) / self.whole
        raise ValueError(
            f"The {self.measure} cannot be reduced to {self.keep:.3g} of the original: with the layers, the "
            f"floor and the multiple given, the least is {rounded_up(least)}. Lower floor= or multiple_of=, "
            "or let more layers be shrunk."
        )


def rounded_up(number: float) -> str:
    """A positive number in three digits that is not below it.

    Examples:
        >>> rounded_up(0.128041), rounded_up(0.25), rounded_up(0.0009996)
        ('0.129', '0.25', '0.001')
    """
    step = 10.0 ** (math.floor(math.log10(number)) - 2)
    return f"{math.ceil(number / step * (1 - 1e-12)) * step:.3g}"


@dataclass(frozen=True)
class Limits:
    """What the numbers of channels must keep to.

    Args:
        multiple_of: The number that is kept is a multiple of this in groups of at least four times as many,
            and of its half, quarter and so on in smaller ones.
        floor: The least fraction of a group, in [0, 1).
    """

    multiple_of: int
    floor: float

    def count(self, group: Group, wanted: float) -> int:
        """The number of channels nearest to a wanted one; all of them where all are wanted."""
        total, step = len(group.classes), 1 if group.whole else self.multiple_of
        if wanted >= total:
            return total
        while step > 1 and total < 4 * step:
            step //= 2
        least = max(1, int(np.ceil(self.floor * total)))
        rounded = step * int(np.floor(wanted / step + 0.5))
        return int(min(total, max(rounded, step * -(-least // step))))


def counts_by_layer(groups: Sequence[Group], fractions: Sequence[float], limits: Limits) -> list[int]:
    """The same fraction of each group, or its own."""
    return [limits.count(g, f * len(g.classes)) for g, f in zip(groups, fractions, strict=True)]


def counts_over_all(
    groups: Sequence[Group],
    scores: Sequence[np.ndarray],
    own: Sequence[float | None],
    threshold: float,
    limits: Limits,
) -> list[int]:
    """All channels whose scores exceed a threshold; groups with a fraction of their own keep that."""
    return [
        limits.count(g, float((s > threshold).sum()) if f is None else f * len(g.classes))
        for g, s, f in zip(groups, scores, own, strict=True)
    ]


def fit_counts(
    sizes: Sizes,
    budget: Budget,
    candidates: Sequence[float],
    counts: Callable[[float], list[int]],
    onward: bool = False,
) -> list[int]:
    """The largest model, of those that candidates give, that is within a budget.

    The next one is too large. So each group takes its number of channels there only if it fits.

    Args:
        sizes: Of the model, by numbers of channels.
        budget: The limit.
        candidates: Levels in the order of models that grow, such as fractions.
        counts: The numbers of channels at a level.
        onward: Whether the groups that can still grow do so, until the budget is nearly used up.

    Raises:
        ValueError: Even the smallest model is larger; the message says how large it is.
    """
    found = counts(candidates[0])
    budget.require(sizes, found)
    low, limits = 0, [len(group.classes) for group in sizes.groups]

    def limited(level: int) -> list[int]:
        return list(map(min, counts(candidates[level]), limits))

    while True:
        low = last_true(lambda level: budget.includes(sizes, limited(level)), low, len(candidates) - 1)
        found = limited(low)
        if low == len(candidates) - 1:
            return found
        low += 1
        for number, count in enumerate(limited(low)):
            grown = [*found[:number], count, *found[number + 1 :]]
            if budget.includes(sizes, grown):
                found = grown
            else:
                limits[number] = found[number]
        if not onward or budget.is_used_up(sizes, found):
            return found


def last_true(holds: Callable[[int], bool], low: int, high: int) -> int:
    """The last number from `low` to `high` of which a property holds that holds of `low` and then ends."""
    while low < high:
        middle = (low + high + 1) // 2
        if holds(middle):
            low = middle
        else:
            high = middle - 1
    return low
