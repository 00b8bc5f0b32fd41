"""Intervals of medians: they hold the truth as often as they say, although consecutive calls are alike."""

import numpy as np
import pytest
from scipy import signal

from keras_kd.deployment.intervals import Interval, median_interval

TURNS, CALLS, TRIALS = 15, 20, 2000


def times(rng, share):
    """Times with a skewed part that differs from call to call, and one that lasts for about ten calls."""
    noise = rng.standard_normal((TRIALS, TURNS, CALLS))
    start = rng.standard_normal((TRIALS, TURNS, 1))
    lasting, _ = signal.lfilter([np.sqrt(1 - 0.9**2)], [1, -0.9], noise, zi=0.9 * start, axis=-1)
    both = np.sqrt(share) * lasting + np.sqrt(1 - share) * rng.standard_normal(noise.shape)
    return np.exp(0.1 * np.where(both > 0, 3 * both, both))  # its median is 1


def coverage(samples):
    intervals = [median_interval(sample) for sample in samples]
    return np.mean([low <= 1 <= high for low, high in intervals])


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_intervals_of_turns_hold_the_median_as_often_as_they_say(share):
    drawn = times(np.random.default_rng(0), share)
    assert coverage(np.median(drawn, axis=2)) >= 0.94
    # Of all calls, as if they did not depend on each other, only where they do not.
    of_calls = coverage(drawn.reshape(TRIALS, -1)[:400])
    assert of_calls >= 0.93 if share == 0 else of_calls < 0.75


@pytest.mark.parametrize(
    ("count", "low", "high"), [(6, 0, 5), (8, 0, 7), (9, 1, 7), (15, 3, 11), (100, 39, 60)]
)
def test_between_which_values(count, low, high):
    values = np.random.default_rng(count).permutation(count)
    assert median_interval(values) == Interval(low, high)


@pytest.mark.parametrize("count", range(6))
def test_too_few_values(count):
    assert median_interval(range(count)) is None


def test_arithmetic():
    interval = Interval(2.0, 4.0)
    assert interval.with_value(3.0) == interval
    assert interval.with_value(5.0) == (2.0, 5.0)
    assert interval.with_value(1.0) == (1.0, 4.0)
    assert interval.widened(0.25) == (1.6, 5.0)
    assert interval.relative_to(Interval(1.0, 8.0)) == (0.25, 4.0)
