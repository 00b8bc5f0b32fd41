"""Times as text, in the unit that suits them."""

import math

# Unit -> how many of it are a millisecond; each is used from a tenth of the next one down to its own.
_UNITS = {"µs": 1e3, "ms": 1.0, "s": 1e-3}


def duration(milliseconds: float) -> str:
    """A time with three digits: microseconds below 0.1 ms, seconds from 1000 ms on.

    Args:
        milliseconds: The time, at least 0.

    Examples:
        >>> from keras_kd.deployment.durations import duration
        >>> [duration(ms) for ms in (0.0123, 0.35, 47.11, 1234.0)]
        ['12.3 µs', '0.35 ms', '47.1 ms', '1.23 s']
    """
    unit = _unit(milliseconds)
    return f"{_round(milliseconds * _UNITS[unit], 2)} {unit}"


def duration_within(milliseconds: float, low: float, high: float) -> str:
    """A time and how far it may be off, with no more digits than are known.

    Args:
        milliseconds: The time, at least 0.
        low: The least that it may be.
        high: The most that it may be.

    Examples:
        >>> from keras_kd.deployment.durations import duration_within
        >>> duration_within(0.0268, 0.0266, 0.0271)
        '26.8 ± 0.3 µs'
        >>> duration_within(0.0268, 0.021, 0.0389)
        '27 ± 13 µs'
    """
    unit = _unit(milliseconds)
    value, reach = (_UNITS[unit] * ms for ms in (milliseconds, max(milliseconds - low, high - milliseconds)))
    if reach <= 0:
        return duration(milliseconds)
    decimals = min(2 - _magnitude(value), 1 - _magnitude(reach))
    # Rounded up, so that no more is claimed than was found; first to far more digits than a float has right.
    up = math.ceil(round(reach * 10.0**decimals, 6)) / 10.0**decimals
    return f"{_decimal(value, decimals)} ± {_decimal(up, decimals)} {unit}"


def _unit(milliseconds: float) -> str:
    rounded = float(f"{milliseconds:.2e}")
    return "µs" if rounded < 0.1 else "ms" if rounded < 1000 else "s"


def _magnitude(value: float) -> int:
    return math.floor(math.log10(value)) if value > 0 else 0


def _round(value: float, digits: int) -> str:
    text = _decimal(value, digits - _magnitude(float(f"{value:.{digits}e}")))
    return text.rstrip("0").rstrip(".") if "." in text else text


def _decimal(value: float, decimals: int) -> str:
    return f"{round(value, decimals):,.{max(decimals, 0)}f}"
