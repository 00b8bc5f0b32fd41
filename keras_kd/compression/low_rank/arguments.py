"""The arguments of `factorize`, checked before anything is computed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from keras_kd.compression.low_rank.ranks import Amount, Rank, check_energy, check_rank
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
    rest = Amount(check_rank(_DEFAULT if rank is None else rank, "rank"))
    if energy is not None:
        rest = Amount(energy=check_energy(energy))
    names = None if layers is None else parse_names(layers)
    if not isinstance(names, Mapping):
        return Settings(Selection(names, list(parse_names(skip))), rest, method)
    amounts = {name: Amount(check_rank(value, f"layers[{name!r}]")) for name, value in names.items()}
    is_for_all = rank is not None or energy is not None
    selection = Selection(amounts, list(parse_names(skip)), rest if is_for_all else None)
    return Settings(selection, rest, method)
