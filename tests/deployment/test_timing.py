"""Timing in turns: how long, how often, and options that make no sense."""

import time

import pytest

from keras_kd.deployment.timing import TimedCall, TimingOptions, processor, time_in_turns, timed_call


def call(function):
    return TimedCall("call", "tflite", 1, "", function)


def test_time_is_limited_and_a_few_runs_are_made_all_the_same():
    slow, options = call(lambda: time.sleep(0.03)), TimingOptions(runs=1000, seconds=0.01)
    turns = 0
    while not slow.is_done(options):
        slow.take_turn(runs=1000)
        turns += 1
    assert len(slow.times) == turns == 5
    quick = call(lambda: None)
    quick.take_turn(runs=10)
    assert len(quick.times) == 10
    assert quick.is_done(TimingOptions(runs=10, seconds=100))


def test_calls_take_turns():
    order = []
    calls = [call(lambda name=name: (order.append(name), time.sleep(0.03))) for name in "ab"]
    time_in_turns(calls, TimingOptions(runs=3, warmup=1))
    assert "".join(order) == "ab" + "ab" * 3
    assert [len(timed.times) for timed in calls] == [3, 3]
    assert min(calls[0].times) >= 0.03


def test_a_long_warm_up_is_cut_short():
    calls = []
    call(lambda: (calls.append(1), time.sleep(0.02))).warm_up(TimingOptions(warmup=10**9, seconds=0.1))
    assert 1 <= len(calls) <= 4


def test_what_is_timed_has_a_label(dense, dense_file):
    options = TimingOptions(batch_size=3, threads=2)
    of_file, of_model = timed_call(dense_file, options), timed_call(dense, options)
    assert (of_file.name, of_file.kind, of_file.threads) == (str(dense_file), "tflite", 2)
    assert (of_model.name, of_model.kind) == ("dense", "keras")
    assert of_file.device == processor() != ""
    of_file.call()
    of_model.call()


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
