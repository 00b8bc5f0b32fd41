"""The arguments of `factorize`, checked before anything is computed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from keras_kd.compression.low_rank.ranks import Amount, Rank
from keras_kd.compression.selection import Selection, parse_names
from keras_kd.messages import did_you_mean

Layers: TypeAlias = Sequence[str] | Mapping[str, Rank] | str | None

METHODS = ("auto", "tucker", "spatial")
_DEFAULT = 0.5


@dataclass(frozen=True)
class Settings:
    """What `factorize` does.

    Args:
        selection: The layers, with the amounts that a mapping gives them.
        amount: How much of others is kept.
        method: Of convolutions.
    """

    selection: Selection[Amount]
    amount: Amount
    method: str


def resolve(
    rank: Rank | None = None,
    energy: float | None = None,
    layers: Layers = None,
    skip: Sequence[str] | str = (),
    method: str = "auto",
) -> Settings:
    """The settings for the arguments.

    Raises:
        TypeError: Layers that are not given by name.
        ValueError: An argument out of range, or a rank and an energy together.
    """
    if rank is not None and energy is not None:
        raise ValueError(
            f"`rank` and `energy` both say how much to keep: give one. Received: rank={rank!r}, "
            f"energy={energy!r}."
        )
    if method not in METHODS:
        hint = did_you_mean(str(method), METHODS)
        raise ValueError(f"`method` must be one of {', '.join(METHODS)}. Received: {method!r}.{hint}")
    rest = Amount(_check_rank(_DEFAULT if rank is None else rank, "rank"))
    if energy is not None:
        rest = Amount(energy=_check_energy(energy))
    names = None if layers is None else parse_names(layers)
    if not isinstance(names, Mapping):
        return Settings(Selection(names, list(parse_names(skip))), rest, method)
    amounts = {name: Amount(_check_rank(value, f"layers[{name!r}]")) for name, value in names.items()}
    is_for_all = rank is not None or energy is not None
    selection = Selection(amounts, list(parse_names(skip)), rest if is_for_all else None)
    return Settings(selection, rest, method)


def _check_rank(value: Rank, name: str) -> Rank:
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool) and value >= 1:
        return int(value)
    is_float = isinstance(value, (float, np.floating))
    if is_float and 0 < value <= 1:
        return float(value)
    hint = f" Did you mean {int(value)}?" if is_float and value > 1 and value == int(value) else ""
    raise ValueError(
        f"`{name}` is a whole number from 1, or a fraction of the full rank, above 0 and up to 1.0. "
        f"Received: {value!r}.{hint}"
    )


def _check_energy(value: float) -> float:
    hint = ""
    if isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool):
        if 0 < value <= 1:
            return float(value)
        hint = f" Did you mean {value / 100:g}?" if 1 < value <= 100 else ""
    raise ValueError(
        "`energy` is the fraction of the squared singular values to keep, above 0 and up to 1. "
        f"Received: {value!r}.{hint}"
    )
