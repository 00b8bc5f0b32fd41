"""How much to keep: a rank, or a fraction of the squared singular values."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

Rank: TypeAlias = int | float

# Kernels are stored in float32: what they have of a full rank beyond this is rounding.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Amount:
    """How much of a layer is kept.

    Args:
        rank: A rank, or, as a float, a fraction of the full rank. `None`: `energy` counts.
        energy: The fraction of the squared singular values.

    Examples:
        >>> Amount(rank=0.5).of(9), Amount(rank=3).of(9), Amount(rank=30).of(9)
        (4, 3, 9)
    """

    rank: Rank | None = None
    energy: float | None = None

    def of(self, full: int) -> int:
        """The rank that is kept of a full one."""
        assert self.rank is not None, "an energy is a matter of values"
        is_fraction = isinstance(self.rank, (float, np.floating))
        return int(min(max(round(self.rank * full) if is_fraction else self.rank, 1), full))


def reaches(kept: np.ndarray, wanted: float, total: float) -> np.ndarray:
    """Whether sums of squared singular values are at least what is wanted, but for rounding."""
    return kept >= wanted - _ROUNDING * total


def relative_error(kept: float, total: float) -> float:
    """The norm of what is left out, relative to that of all."""
    lost = max(total - kept, 0.0)
    return float(np.sqrt(lost / total)) if lost > _ROUNDING * total else 0.0


def check_rank(value: Rank | str, name: str = "rank") -> Rank:
    """A rank, or a fraction of the full one as a float.

    Raises:
        ValueError: Anything else; `name` is the argument that it was given as.
    """
    hint = ""
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool) and value >= 1:
        return int(value)
    if isinstance(value, (float, np.floating)):
        if 0 < value <= 1:
            return float(value)
        hint = f" Did you mean {int(value)}?" if value > 1 and float(value).is_integer() else ""
    raise ValueError(
        f"`{name}` is a whole number from 1, or a fraction of the full rank, above 0 and up to 1.0. "
        f"Received: {value!r}.{hint}"
    )


def check_energy(value: float, name: str = "energy") -> float:
    """A fraction of the squared singular values.

    Raises:
        ValueError: Anything else; `name` is the argument that it was given as.
    """
    hint = ""
    if isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool):
        if 0 < value <= 1:
            return float(value)
        hint = f" Did you mean {value / 100:g}?" if 1 < value <= 100 else ""
    raise ValueError(
        f"`{name}` is the fraction of the squared singular values to keep, above 0 and up to 1. "
        f"Received: {value!r}.{hint}"
    )
