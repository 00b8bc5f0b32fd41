"""Fractions of zeros, as given by a user."""

from typing import TypeGuard

import numpy as np

from keras_kd.messages import did_you_mean


def check_fraction(value: object, name: str) -> float:
    """A fraction of zeros, in [0, 1).

    Raises:
        ValueError: Anything else; `name` is the argument that it was given as.
    """
    if is_number(value) and 0 <= value < 1:
        return float(value)
    hint = ""
    if is_number(value) and 1 < value < 100:
        hint = f" Did you mean {value / 100:g}?"
    elif isinstance(value, str):
        hint = did_you_mean(value.lower(), ["keep"])
    raise ValueError(f"`{name}` is the fraction of zeros, from 0 to less than 1. Received: {value!r}.{hint}")


def is_number(value: object) -> TypeGuard[float]:
    """Whether a value is a Python or NumPy number; booleans are not."""
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
