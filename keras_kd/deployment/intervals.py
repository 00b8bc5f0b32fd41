"""How far a median is known, from medians of parts that were measured one after the other."""

from collections.abc import Sequence
from typing import NamedTuple

from scipy import stats

LEVEL = 0.05
# Ratios of times that are nearer to 1 are not told from it: where a file lies in memory alone makes such a
# difference (Mytkowicz et al. 2009, doi:10.1145/1508244.1508275).
LEAST_NOISE = 0.05


class Interval(NamedTuple):
    """A range that holds a value in 95 % of cases."""

    low: float
    high: float

    def with_value(self, value: float) -> "Interval":
        """The interval, extended to a value."""
        return Interval(min(self.low, value), max(self.high, value))

    def widened(self, noise: float) -> "Interval":
        """The interval of a ratio that may also be off by this fraction."""
        return Interval(self.low / (1 + noise), self.high * (1 + noise))

    def relative_to(self, other: "Interval") -> "Interval":
        """The smallest and the largest ratio to a value of another interval."""
        return Interval(self.low / other.high, self.high / other.low)


def median_interval(values: Sequence[float]) -> Interval | None:
    """The interval of the median, between two of the values; `None` if there are fewer than six.

    Nothing is assumed about how they are distributed. They must not depend on each other, which consecutive
    calls do: give the medians of turns.

    Args:
        values: Finite numbers.

    Examples:
        >>> from keras_kd.deployment.intervals import median_interval
        >>> median_interval([5, 1, 4, 2, 3, 9])
        Interval(low=1, high=9)
    """
    ordered = sorted(values)
    # The median lies outside if at most `rank - 1` values are on one side of it.
    rank = int(stats.binom.ppf(LEVEL / 2, len(ordered), 0.5))
    return Interval(ordered[rank - 1], ordered[-rank]) if rank else None
