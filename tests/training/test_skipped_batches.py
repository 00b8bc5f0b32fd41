"""Batches that an interrupted `fit` had trained on are read again, and not trained on."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_kd.training.skipped_batches import SkippedBatches
from tests.training.readers import Reader

X = np.arange(12, dtype="float32").reshape(12, 1)


class Skip(keras.callbacks.Callback):
    def __init__(self, earlier, skipped):
        super().__init__()
        self.given, self.events, self.batches = (earlier, skipped), [], []

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 0:
            begin = lambda batch: self.events.append(("begin", batch.numpy().ravel().tolist()))  # noqa: E731
            self.skipping = SkippedBatches(self.model, *self.given, begin, lambda: self.events.append("end"))

    def on_train_batch_end(self, batch, logs=None):
        self.batches.append((batch, self.skipping.active))


def fit(earlier, skipped, together=1, steps=6, epochs=1):
    model, skip = Reader(), Skip(earlier, skipped)
    model.compile(run_eagerly=True, steps_per_execution=together)
    data = tf.data.Dataset.from_tensor_slices(X).batch(2).repeat()
    model.fit(data, steps_per_epoch=steps, epochs=epochs, verbose=0, callbacks=[skip])
    return model.read, skip


def test_batches_of_this_epoch_are_seen_by_callbacks_and_not_trained_on():
    read, skip = fit(0, 2, epochs=2)
    assert read[:4] == [[4, 5], [6, 7], [8, 9], [10, 11]]
    assert read[4:] == [[2 * i, 2 * i + 1] for i in range(6)]  # the second epoch is whole
    assert skip.events == [("begin", [0, 1]), "end"]
    assert skip.batches[:3] == [(0, True), (1, False), (2, False)]


def test_batches_of_earlier_epochs_are_not_seen():
    read, skip = fit(3, 1, steps=3)
    assert read == [[8, 9], [10, 11]]
    assert skip.events == [("begin", [6, 7]), "end"]


@pytest.mark.parametrize("skipped", [3, 4])
def test_whole_executions_are_skipped(skipped):
    read, skip = fit(0, skipped, together=2)
    assert read == [[8, 9], [10, 11]]
    assert skip.events[-1] == "end"


def test_nothing_to_skip_leaves_the_train_function():
    read, skip = fit(0, 0)
    assert len(read) == 6
    assert (skip.events, skip.skipping.active) == ([], False)
