"""What is noted while a model trains."""

import re

import keras
import numpy as np

from keras_kd.jobs.epoch_progress import EpochProgress


class Clock:
    """A clock that moves when it is told to."""

    now = 0.0

    def __call__(self):
        return self.now


def test_epoch_losses_seconds_and_time_left():
    clock, notes = Clock(), []
    progress = EpochProgress("student", 4, notes.append, clock)
    progress.set_params({"steps": 8})
    progress.on_epoch_begin(0)
    clock.now = 3.0  # spent on building the graph
    progress.on_train_batch_end(0, {"loss": 1.0})  # an eighth of the epoch says little
    clock.now = 3.1
    progress.on_train_batch_end(1, {"loss": 0.9})  # too early
    clock.now = 3.6
    progress.on_train_batch_end(2, {"loss": np.float32(0.51234)})
    clock.now = 6.0
    progress.on_test_begin()
    clock.now = 7.0  # spent on building that of the validation
    progress.on_test_batch_end(0)
    clock.now = 8.0
    progress.on_epoch_end(0, {"loss": 0.5, "val_accuracy": 0.75})
    progress.on_epoch_begin(1)
    clock.now = 9.0
    progress.on_train_batch_end(1, {"loss": 0.4})
    progress.on_test_batch_end(0)
    clock.now = 15.0
    progress.on_train_batch_end(2, {"loss": 0.35})
    clock.now = 12.0
    progress.on_epoch_end(1, {"loss": 0.3})
    assert notes == [
        "student: epoch 1 of 4",
        "student: epoch 1 of 4",
        "student: epoch 1 of 4, loss 0.5123",
        "student: epoch 1 of 4, 4 s an epoch, 12 s left, loss 0.5, val_accuracy 0.75",
        "student: epoch 2 of 4, 4 s an epoch, 12 s left",
        "student: epoch 2 of 4, 4 s an epoch, 11 s left, loss 0.4",
        "student: epoch 2 of 4, 4 s an epoch, 8 s left, loss 0.35",
        "student: epoch 2 of 4, 4 s an epoch, 8 s left, loss 0.3",
    ]


def test_epochs_that_follow_others_are_counted_on_and_losses_are_shown_without_their_weight():
    notes = []
    progress = EpochProgress("student", 10, notes.append, Clock(), before=10)
    progress.on_epoch_begin(1)
    logs = {
        "loss": 0.5,
        "student_loss": 0.1,
        "label_loss": 1.0,
        "val_student_loss": 0.2,
        "val_label_loss": 2.0,
        "val_loss": 0.2,
    }
    progress.on_epoch_end(1, logs)
    assert notes == [
        "student: epoch 12 of 20",
        "student: epoch 12 of 20, 0 s an epoch, 0 s left, loss 0.5, label_loss 1, val_label_loss 2",
    ]


def test_the_loss_of_each_output_is_shown_once():
    notes = []
    progress = EpochProgress("student", 1, notes.append, Clock())
    outputs = {"kind_loss": 1.0, "kind_label_loss": 1.0, "val_kind_loss": 2.0, "val_kind_label_loss": 2.0}
    progress.on_epoch_end(0, {"loss": 3.0, "val_loss": 4.0, "other_loss": 5.0, **outputs})
    told = ["loss 3", "other_loss 5", "kind_label_loss 1", "val_kind_label_loss 2"]
    assert notes[0].split(", ")[3:] == told


def test_in_fit():
    notes = []
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    progress = EpochProgress("net", 2, notes.append)
    model.fit(np.ones((4, 2)), np.ones(4), epochs=2, verbose=0, callbacks=[progress])
    assert notes[0] == "net: epoch 1 of 2"
    assert re.fullmatch(r"net: epoch 2 of 2, .* an epoch, 0 s left, loss [\d.e+-]+", notes[-1])
