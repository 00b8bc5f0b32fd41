"""Ratios of times: turn by turn, as what slows a whole round of turns down cancels out."""

from collections.abc import Mapping

from keras_kd.deployment.intervals import LEAST_NOISE, Interval, median_interval
from keras_kd.deployment.timing import TimedCall


def ratio_intervals(
    calls: Mapping[str, TimedCall], baseline: str, twin: TimedCall
) -> dict[str, Interval | None]:
    """How many times as fast as the baseline each call is, as 95 % intervals; `None` after too few turns.

    Args:
        calls: What was timed in turns, by name.
        baseline: The name of what the others are compared with.
        twin: The baseline, timed a second time: the ratio to it shows how far ratios are off.

    Returns:
        Intervals widened by that noise, and at least by 5 %. For the baseline, 1 and that noise.
    """
    noise = LEAST_NOISE
    if twins := _ratio(calls[baseline], twin):
        noise = max(noise, twins.high - 1, 1 / twins.low - 1)
    found = {name: _ratio(calls[baseline], call) for name, call in calls.items()}
    found[baseline] = Interval(1.0, 1.0)
    return {name: interval and interval.widened(noise) for name, interval in found.items()}


def _ratio(reference: TimedCall, call: TimedCall) -> Interval | None:
    first, second = reference.medians, call.medians
    paired = median_interval([first[number] / second[number] for number in first if number in second])
    if paired is not None:
        return paired
    apart = median_interval(list(first.values())), median_interval(list(second.values()))
    return apart[0].relative_to(apart[1]) if apart[0] and apart[1] else None
