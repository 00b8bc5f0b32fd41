"""Fractions to keep, as given by a user; the command line checks them before it loads anything else."""

from numbers import Real
from typing import TypeGuard


def check_fraction(what: str, value: object) -> None:
    """Raise a `ValueError` for something other than a fraction in (0, 1]."""
    if not is_number(value) or not 0 < value <= 1:
        hint = f" For {value:g} %, give {value / 100:g}." if is_number(value) and 1 < value <= 100 else ""
        raise ValueError(f"{what} must be in (0, 1]. Received: {value!r}.{hint}")


def is_number(value: object) -> TypeGuard[float]:
    """Whether something is a number, of NumPy too."""
    return isinstance(value, Real) and not isinstance(value, bool)
