"""How many channels of each group are kept, so that a model is as small as was asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from keras_kd.compression.shrinking.groups import Group
from keras_kd.compression.shrinking.sizes import Sizes


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
    sizes: Sizes, measure: str, most: float, candidates: Sequence[float], counts: Callable[[float], list[int]]
) -> list[int]:
    """The largest model, of those that candidates give, that is within a budget.

    Args:
        sizes: Of the model, by numbers of channels.
        measure: What is limited.
        most: The limit.
        candidates: Levels in the order of models that grow, such as fractions.
        counts: The numbers of channels at a level.

    Raises:
        ValueError: Even the smallest model is larger; the message says how large it is.
    """
    low, high = 0, len(candidates) - 1
    if sizes.measure(measure, counts(candidates[0])) > most:
        least = sizes.measure(measure, counts(candidates[0])) / sizes.full(measure)
        raise ValueError(
            f"The {measure} cannot be reduced to {most / sizes.full(measure):.3g} of the original: with the "
            f"layers, the floor and the multiple given, the least is {least:.3g}. Lower floor= or "
            "multiple_of=, or let more layers be shrunk."
        )
    while low < high:
        middle = (low + high + 1) // 2
        if sizes.measure(measure, counts(candidates[middle])) <= most:
            low = middle
        else:
            high = middle - 1
    return counts(candidates[low])
