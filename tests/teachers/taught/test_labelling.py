"""Only new samples go through the teacher, and what fails names its sample."""

import time

import numpy as np
import pytest
import tensorflow as tf

from keras_kd.files import WriteError
from keras_kd.teachers.taught.labelling import Bar, Labelled, label
from keras_kd.teachers.taught.records import StoredSignal
from keras_kd.teachers.taught.shards import Ledger
from keras_kd.teachers.taught.viewed import Views
from keras_kd.teachers.taught.writer import ShardWriter

X = np.arange(12, dtype="float32")[:, None] * np.ones(3, "float32")
OUTPUT = (StoredSignal("output", (3,), "float32", "float32"),)


class Teacher:
    def __init__(self, broken=None):
        self.seen, self.broken = [], broken

    def __call__(self, x):
        self.seen += x[:, 0].tolist()
        return {"output": np.where(x == self.broken, np.nan, x)}


def run(folder, teacher, x=X, key=None):
    data = tf.data.Dataset.from_tensor_slices(x).batch(4)
    ledger = Ledger(folder)
    writer = ShardWriter(ledger, OUTPUT, 1, rows=4)
    label(Views(data, key, None, 1, 0).batches(), teacher, writer, Labelled.of(ledger), Bar(3, shown=False))
    return Ledger(folder).finished()


def test_each_sample_is_labelled_once(tmp_path):
    first, second = Teacher(), Teacher()
    assert run(tmp_path, first, np.concatenate([X[:6], X[:6]])) == {0: 4, 1: 2}
    assert first.seen == list(range(6))
    assert sum(run(tmp_path, second, X[::-1]).values()) == 12
    assert sorted(second.seen) == list(range(6, 12))


def test_what_was_labelled_before_a_failure_is_kept(tmp_path):
    with pytest.raises(
        ValueError, match=r"Sample 9 of the data \(row 1 of its batch, key \d+\): the teacher's"
    ):
        run(tmp_path, Teacher(broken=9))
    assert sum(Ledger(tmp_path).finished().values()) == 8
    again = Teacher()
    run(tmp_path, again)
    assert again.seen == [8, 9, 10, 11]


def test_two_samples_with_one_key(tmp_path):
    def key(x, y):
        return tf.cast(x[:, 0], "int64") % 7

    with pytest.raises(ValueError, match=r"Two different samples have one key \(0\), .* at position 7"):
        run(tmp_path, Teacher(), key=key)


def test_a_disk_that_fills_up(tmp_path, monkeypatch):
    write = Ledger.write

    def full(self, number, arrays):
        if number == 1:
            raise WriteError("the disk is full")
        write(self, number, arrays)

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "write", full)
        with pytest.raises(WriteError, match="the disk is full"):
            run(tmp_path, Teacher())
    assert Ledger(tmp_path).finished() == {0: 4}
    again = Teacher()
    run(tmp_path, again)
    assert again.seen == list(range(4, 12))


def test_the_bar_tells_the_rate_and_the_time_left(capsys):
    bar = Bar(3, shown=True)
    bar.add(4, 4)
    time.sleep(0.06)  # it is not drawn more often than is seen
    bar.add(4, 1)
    shown = capsys.readouterr().out
    assert "2/3" in shown
    assert "batch" in shown
    assert "samples/s" in shown
    assert bar.end() == "5 samples of 8 labelled"
    assert Bar(None, shown=False).end() == "0 samples of 0 labelled"
