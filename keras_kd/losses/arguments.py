"""Validation of the arguments of losses and projections; errors say what was expected and received."""

import operator
from numbers import Real
from typing import SupportsIndex, TypeGuard

from keras_kd.tensors import Scheduled


def check_positive(name: str, value: object) -> float:
    """Return a finite positive number as a float.

    Raises:
        ValueError: Anything else.

    Examples:
        >>> check_positive("temperature", 4)
        4.0
    """
    if not (isinstance(value, Real) and 0 < float(value) < float("inf")):
        raise ValueError(f"`{name}` must be a positive number. Received: {value!r}.")
    return float(value)


def check_positive_or_schedule(name: str, value: object) -> Scheduled:
    """Return a finite positive number as a float, or a schedule of the training step as it is.

    Raises:
        ValueError: Anything else.
    """
    if callable(value):
        return value
    if not (isinstance(value, Real) and 0 < float(value) < float("inf")):
        raise ValueError(
            f"`{name}` must be a positive number or a schedule of the step. Received: {value!r}."
        )
    return float(value)


def check_not_negative(name: str, value: object) -> float:
    """Return a finite non-negative number as a float.

    Raises:
        ValueError: Anything else.
    """
    if not (isinstance(value, Real) and 0 <= float(value) < float("inf")):
        raise ValueError(f"`{name}` must be a number of at least 0. Received: {value!r}.")
    return float(value)


def check_integer(name: str, value: object, least: int = 1, *, floats: bool = False) -> int:
    """Return an integer that is at least `least`.

    Args:
        name: The argument's name in the error message.
        value: Anything.
        least: The smallest integer that is accepted.
        floats: Whether a float with an integer value, such as 2.0, counts as an integer.

    Raises:
        ValueError: Anything else; `True` and `False` do not count as integers.

    Examples:
        >>> check_integer("size", 2)
        2
    """
    is_bool = isinstance(value, bool)
    if floats and isinstance(value, Real) and not is_bool and float(value).is_integer():
        value = int(float(value))
    if is_bool or not _is_integer(value) or int(value) < least:
        raise ValueError(f"`{name}` must be an integer of at least {least}. Received: {value!r}.")
    return int(value)


def _is_integer(value: object) -> TypeGuard[SupportsIndex]:
    try:  # arrays with several elements have an `__index__` too, which raises
        return isinstance(value, SupportsIndex) and operator.index(value) is not None
    except TypeError:
        return False
