"""The arguments of `sensitivity`, checked before anything runs."""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import keras
import numpy as np

from keras_kd.compression.clustering.arguments import check_count
from keras_kd.compression.low_rank.ranks import check_rank
from keras_kd.compression.pruning.fractions import check_fraction as check_sparsity
from keras_kd.compression.selection import Selection, parse_names
from keras_kd.compression.sensitivity.channels import channel_parts
from keras_kd.compression.sensitivity.kernels import cluster, kernel_parts, prune
from keras_kd.compression.sensitivity.parts import Dissection
from keras_kd.compression.sensitivity.ranks import rank_parts
from keras_kd.compression.shrinking.fractions import check_fraction as check_kept
from keras_kd.messages import did_you_mean


class Way(NamedTuple):
    """A way to make a layer smaller.

    Attributes:
        amounts: Those that are tried by default, the mildest first.
        check: Raises a `ValueError` for an amount that makes no sense.
        dissect: Finds the parts of a copy of a model.
        means: What an amount is, in words.
    """

    amounts: tuple[float, ...]
    check: Callable[[float], object]
    dissect: Callable[[keras.Model, Selection[float]], Dissection]
    means: str


WAYS: Mapping[str, Way] = {
    "channels": Way(
        (0.9, 0.75, 0.5, 0.25, 0.1),
        functools.partial(check_kept, "The fraction of channels to keep"),
        channel_parts,
        "the fraction of channels kept",
    ),
    "rank": Way(
        (0.75, 0.5, 0.25, 0.125),
        functools.partial(check_rank, name="amounts"),
        rank_parts,
        "the rank kept, or the fraction of the full rank",
    ),
    "sparsity": Way(
        (0.5, 0.7, 0.8, 0.9, 0.95),
        functools.partial(check_sparsity, name="amounts"),
        functools.partial(kernel_parts, prune),
        "the fraction of weights that are zero",
    ),
    "clusters": Way(
        (32, 16, 8, 4, 2),
        functools.partial(check_count, name="amounts"),
        functools.partial(kernel_parts, cluster),
        "the number of distinct values in each kernel",
    ),
}


@dataclass(frozen=True)
class Settings:
    """What `sensitivity` does.

    Args:
        by: How layers are made smaller.
        amounts: How much.
        selection: Which layers.
    """

    by: str
    amounts: tuple[float, ...]
    selection: Selection[float]

    @property
    def way(self) -> Way:
        """How layers are made smaller."""
        return WAYS[self.by]


def resolve(
    by: str = "channels",
    amounts: Sequence[float] | np.ndarray | float | None = None,
    layers: Sequence[str] | str | None = None,
    skip: Sequence[str] | str = (),
    samples: int | None = None,
) -> Settings:
    """The settings for the arguments.

    Raises:
        TypeError: Layers that are not given by name.
        ValueError: An argument out of range.
    """
    if by not in WAYS:
        hint = did_you_mean(str(by), WAYS)
        raise ValueError(f"`by` must be one of {', '.join(map(repr, WAYS))}. Received: {by!r}.{hint}")
    way = WAYS[by]
    tried = way.amounts if amounts is None else _numbers(amounts)
    if not tried:
        raise ValueError(f"`amounts` is empty: give some, such as {way.amounts}.")
    for amount in tried:
        way.check(amount)
    if isinstance(layers, Mapping):
        raise TypeError(f"`layers` are names, and `amounts` is tried on each. Received: {layers!r}.")
    if samples is not None and (isinstance(samples, bool) or not isinstance(samples, int) or samples < 1):
        raise ValueError(f"`samples` is a whole number of 1 or more, or None. Received: {samples!r}.")
    names = None if layers is None else list(parse_names(layers))
    return Settings(by, tuple(dict.fromkeys(tried)), Selection(names, list(parse_names(skip))))


def _numbers(amounts: Sequence[float] | np.ndarray | float) -> tuple[float, ...]:
    if isinstance(amounts, (int, float)):
        return (amounts,)
    if not isinstance(amounts, (list, tuple, np.ndarray)):
        raise TypeError(f"`amounts` are numbers, such as [0.5, 0.25]. Received: {amounts!r}.")
    return tuple(amounts)
