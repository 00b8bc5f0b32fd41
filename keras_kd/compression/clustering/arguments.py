"""The arguments of `Cluster`, each validated."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeGuard

import numpy as np

from keras_kd.compression.selection import Selection, parse_names
from keras_kd.messages import did_you_mean

INITIAL = ["kmeans++", "linear", "density"]
PER = ["layer", "channel"]
_MOST = 2**16

Layers: TypeAlias = Sequence[str] | Mapping[str, int] | str | None


@dataclass(frozen=True)
class Settings:
    """What `Cluster` does; the attributes are its arguments."""

    clusters: int | None
    selection: Selection[int]
    initial: str
    per: str
    keep_zeros: bool
    begin: int
    reassign: bool


def resolve(
    clusters: int | None,
    initial: str,
    per: str,
    layers: Layers,
    skip: Sequence[str] | str,
    keep_zeros: bool,
    begin: int,
    reassign: bool,
) -> Settings:
    """The settings for the arguments of `Cluster`; see there.

    Raises:
        TypeError: Layers that are not given by name.
        ValueError: An argument out of range, or the number of clusters is missing.
    """
    names = None if layers is None else parse_names(layers)
    if clusters is not None:
        check_count(clusters, "clusters")
    elif not isinstance(names, Mapping):
        raise ValueError("Say how many clusters: kd.Cluster(16) for 16 distinct values in each kernel.")
    if isinstance(names, Mapping):
        for name, value in names.items():
            check_count(value, f"layers[{name!r}]")
    for argument, given, known in (("initial", initial, INITIAL), ("per", per, PER)):
        if given not in known:
            hint = did_you_mean(str(given), known)
            raise ValueError(f"`{argument}` must be one of {known}. Received: {given!r}.{hint}")
    for argument, flag in (("keep_zeros", keep_zeros), ("reassign", reassign)):
        if not isinstance(flag, bool):
            raise ValueError(f"`{argument}` must be True or False. Received: {flag!r}.")
    if not _is_integer(begin) or begin < 0:
        raise ValueError(f"`begin` is an integer number of steps, at least 0. Received: {begin!r}.")
    others = clusters if isinstance(names, Mapping) else None
    selection = Selection(names, list(parse_names(skip)), others)
    return Settings(clusters, selection, initial, per, keep_zeros, int(begin), reassign)


def check_count(value: object, name: str) -> None:
    """Raise a `ValueError` for something other than a number of clusters; `name` is the argument."""
    if not _is_integer(value) or not 2 <= value <= _MOST:
        raise ValueError(
            f"`{name}` is a number of clusters, an integer from 2 to {_MOST:,}. Received: {value!r}."
        )


def _is_integer(value: object) -> TypeGuard[int]:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)
