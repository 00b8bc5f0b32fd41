"""What says that a machine was too busy for its timings to be relied on."""

import pytest

from keras_kd.deployment.disturbances import find_difference, find_disturbance
from keras_kd.deployment.intervals import Interval
from keras_kd.deployment.timing import TimedCall, Timing


def timed(held):
    turns = {number: [Timing(0.001, 0.001 * held), Timing(0.003, 0.003 * held)] for number in range(15)}
    return TimedCall("call", "tflite", 1, "", lambda: None, turns=turns)


@pytest.mark.parametrize(
    ("held", "p90", "interval", "text"),
    [
        (1.0, 1.3, Interval(0.9, 1.1), None),
        (1.0, 1.9, None, None),
        (1.0, 9.0, None, None),  # of so few calls, the slowest are the first
        (0.95, 1.3, Interval(0.9, 1.1), None),
        (0.38, 1.3, None, "other programs held the processor for 62 % of the time"),
        (1.0, 1.3, Interval(0.9, 1.2), "the median may be anything from 0.9 ms to 1.2 ms"),
        (1.0, 2.3, Interval(0.9, 1.1), "one call in ten took 2.3 times as long as the median, or longer"),
    ],
)
def test_the_figure_that_says_so(held, p90, interval, text):
    assert find_disturbance(timed(held), 1.0, p90, interval) == text


@pytest.mark.parametrize(
    ("baseline", "text"),
    [
        (None, None),
        (Interval(1 / 1.05, 1.05), None),
        (Interval(0.8, 1.25), None),
        (Interval(1 / 1.4, 1.4), "two timings of the same file differ by up to 40 %"),
    ],
)
def test_twins_that_differ(baseline, text):
    assert find_difference(baseline) == text
