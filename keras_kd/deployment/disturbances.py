"""What says that a machine was too busy for its timings to be relied on."""

from keras_kd.deployment.durations import duration
from keras_kd.deployment.intervals import Interval
from keras_kd.deployment.timing import TimedCall

# On an idle machine, the median is known within a few hundredths, nine calls in ten take at most a quarter
# longer than it, and timings of the same file differ by a few hundredths.
_WIDEST = 0.25
_SLOWEST = 2.0


def find_disturbance(call: TimedCall, median: float, p90: float, interval: Interval | None) -> str | None:
    """The figure that says so, in words; `None` if nothing does.

    Args:
        call: The timed call.
        median: The median of its calls, in milliseconds.
        p90: Their 90th percentile, in milliseconds.
        interval: That of the median.
    """
    if not call.is_quiet:
        timings = [timing for turn in call.turns.values() for timing in turn]
        part = 1 - sum(timing.held for timing in timings) / sum(timing.seconds for timing in timings)
        return f"other programs held the processor for {100 * part:.0f} % of the time"
    if interval is not None and interval.high - interval.low > _WIDEST * median:
        low, high = (duration(end) for end in interval)
        return f"the median may be anything from {low} to {high}"
    if interval is not None and p90 > _SLOWEST * median:
        return f"one call in ten took {p90 / median:.1f} times as long as the median, or longer"
    return None


def find_difference(baseline: Interval | None) -> str | None:
    """How much two timings of the same file differ, if that is much, from the baseline's ratio to itself."""
    if baseline is None or baseline.high - 1 <= _WIDEST:
        return None
    return f"two timings of the same file differ by up to {100 * (baseline.high - 1):.0f} %"
