"""Ratios of times: turn by turn, with the noise that two timings of the same file show."""

import numpy as np
import pytest

from keras_kd.deployment.ratios import ratio_intervals
from keras_kd.deployment.timing import TimedCall, Timing, TimingOptions


def timed(milliseconds, first=0):
    """A call that took one turn of these times in each round."""
    rounds = enumerate(milliseconds, first)
    turns = {number: [Timing(ms / 1000, ms / 1000)] for number, ms in rounds}
    return TimedCall("call", "tflite", 1, "", lambda: None, TimingOptions(runs=len(turns)), turns=turns)


# The machine slows down for half of the rounds.
DRIFT = np.where(np.arange(15) % 4 < 2, 1.0, 3.0)


def test_what_slows_a_round_down_cancels_out():
    calls = {"a": timed(4 * DRIFT), "b": timed(2 * DRIFT), "c": timed(8 * DRIFT)}
    found = ratio_intervals(calls, "a", timed(4 * DRIFT))
    assert found["a"] == pytest.approx((1 / 1.05, 1.05))
    assert found["b"] == pytest.approx((2 / 1.05, 2 * 1.05))
    assert found["c"] == pytest.approx((0.5 / 1.05, 0.5 * 1.05))


@pytest.mark.parametrize("factor", [1.3, 1 / 1.3], ids=["slower", "faster"])
def test_ratios_are_off_by_as_much_as_two_timings_of_the_same_file_differ(factor):
    calls = {"a": timed(4 * DRIFT), "b": timed(2 * DRIFT)}
    found = ratio_intervals(calls, "a", timed(4 * DRIFT * factor))
    assert found["a"] == pytest.approx((1 / 1.3, 1.3))
    assert found["b"] == pytest.approx((2 / 1.3, 2 * 1.3))


def test_calls_without_rounds_in_common_are_compared_by_their_own_intervals():
    varying = [4.0] * 7 + [5.0]
    calls = {"a": timed(varying), "b": timed([2.0] * 8, first=5)}
    assert ratio_intervals(calls, "a", timed(varying))["b"] == pytest.approx((2 / 1.05, 2.5 * 1.05))


def test_too_few_rounds():
    calls = {"a": timed([4.0] * 5), "b": timed([2.0] * 15)}
    assert ratio_intervals(calls, "a", timed([4.0])) == {"a": pytest.approx((1 / 1.05, 1.05)), "b": None}
