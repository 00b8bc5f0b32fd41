"""What exactly one call of a file or a model is, and what its processor time is read from."""

import time

import pytest

from keras_kd.deployment.timed_calls import processor, timed_call
from keras_kd.deployment.timing import TimingOptions


def test_what_is_timed_has_a_label(dense, dense_file):
    options = TimingOptions(batch_size=3, threads=2)
    of_file, of_model = timed_call(dense_file, options), timed_call(dense, options)
    assert (of_file.name, of_file.kind, of_file.threads) == (str(dense_file), "tflite", 2)
    assert (of_model.name, of_model.kind) == ("dense", "keras")
    assert of_file.device == processor() != ""
    assert of_file.options == of_model.options == options
    of_file.call()
    of_model.call()


@pytest.mark.parametrize(("threads", "clock"), [(1, time.thread_time), (2, time.process_time)])
def test_the_clock_of_the_threads_that_work(threads, clock, dense, dense_file):
    options = TimingOptions(threads=threads)
    assert timed_call(dense_file, options).clock is clock
    assert timed_call(dense, options).clock is time.process_time


def test_a_clock_that_ticks_too_rarely_is_not_read(dense_file, monkeypatch):
    coarse = type("Coarse", (), {"resolution": 0.015625})
    monkeypatch.setattr(time, "get_clock_info", lambda name: coarse)
    assert timed_call(dense_file, TimingOptions()).clock is None
