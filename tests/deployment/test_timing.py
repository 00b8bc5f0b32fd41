"""Timing in turns: how long, how often, which calls count, and options that make no sense."""

import itertools
import time

import pytest

from keras_kd.deployment.timing import TimedCall, TimingOptions, time_in_turns


def call(function, clock=None, **options):
    return TimedCall("call", "tflite", 1, "", function, TimingOptions(**options), clock)


def interrupted(turn, function=lambda: None, **options):
    """A call that other programs interrupt in these calls: a clock of the processor that stands still."""
    numbers = itertools.count()
    processor = [0.0]

    def work():
        function()
        processor[0] += 0.0 if turn(next(numbers)) else 100.0

    return call(work, lambda: processor[0], **options)


def test_time_is_limited_and_a_few_runs_are_made_all_the_same():
    slow = call(lambda: time.sleep(0.03), runs=1000, seconds=0.01)
    time_in_turns([slow])
    assert [len(turn) for turn in slow.turns.values()] == [1] * 6
    assert slow.spent >= 6 * 0.03


def test_quick_calls_are_spread_over_turns():
    quick = call(lambda: None, runs=300, seconds=100)
    time_in_turns([quick])
    assert [len(turn) for turn in quick.turns.values()] == [20] * 15
    assert quick.spent >= 14 * 0.002
    few = call(lambda: None, runs=4, seconds=100)
    time_in_turns([few])
    assert [len(turn) for turn in few.turns.values()] == [1] * 4


def test_calls_take_turns():
    order = []
    calls = [
        call(lambda name=name: (order.append(name), time.sleep(0.03)), runs=3, warmup=1) for name in "ab"
    ]
    time_in_turns(calls)
    assert "".join(order) == "ab" + "ab" * 3
    assert [timed.medians.keys() for timed in calls] == [{0, 1, 2}] * 2
    assert min(calls[0].medians.values()) >= 0.03


def test_after_a_pause_quick_calls_are_made_untimed_first():
    made = []
    quick = call(lambda: made.append(1), runs=15, warmup=1)
    quick.warm_up()
    for number in range(3):
        before = len(made)
        quick.take_turn(number)
        assert len(made) - before >= 2
    assert [len(turn) for turn in quick.turns.values()] == [1] * 3


def test_a_long_warm_up_is_cut_short():
    calls = []
    call(lambda: (calls.append(1), time.sleep(0.02)), warmup=10**9, seconds=0.1).warm_up()
    assert 1 <= len(calls) <= 4


def test_interrupted_calls_are_set_aside_and_repeated():
    timed = interrupted(lambda number: number % 2, runs=30, warmup=0)
    time_in_turns([timed])
    assert timed.is_quiet
    assert sum(map(len, timed.kept.values())) == timed.set_aside == 30
    assert all(t.held == t.seconds if t.alone else t.held == 0 for turn in timed.turns.values() for t in turn)


@pytest.mark.parametrize(
    ("options", "least", "most"),
    [
        ({"runs": 30, "seconds": 100}, 90, 90),
        ({"runs": 1000, "seconds": 0.05, "function": lambda: time.sleep(0.01)}, 6, 45),
    ],
    ids=["calls", "seconds"],
)
def test_patience_with_a_busy_machine_ends(options, least, most):
    timed = interrupted(lambda number: True, warmup=0, **options)
    time_in_turns([timed])
    assert not timed.is_quiet
    assert timed.set_aside == 0
    assert least <= sum(map(len, timed.kept.values())) <= most


def test_a_few_quiet_turns_are_not_enough():
    slow = {"function": lambda: time.sleep(0.003), "runs": 15, "warmup": 0}  # never called untimed
    timed = interrupted(lambda number: number >= 5, **slow)
    time_in_turns([timed])
    assert not timed.is_quiet
    assert len(timed.medians) == 45
    enough = interrupted(lambda number: number >= 6, **slow)
    time_in_turns([enough])
    assert enough.is_quiet
    assert list(enough.medians) == list(range(6))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size must be an integer of at least 1; received 0"),
        ({"runs": 0}, "runs must be an integer of at least 1; received 0"),
        ({"runs": 1.5}, "received 1.5"),
        ({"warmup": -1}, "warmup must be an integer of at least 0; received -1"),
        ({"seconds": 0}, "seconds must be more than 0; received 0"),
        ({"seconds": float("nan")}, "seconds must be more than 0; received nan"),
    ],
)
def test_options_that_make_no_sense(options, message):
    with pytest.raises(ValueError, match=message):
        TimingOptions(**options)
