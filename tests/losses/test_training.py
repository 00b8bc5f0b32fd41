"""Every loss trains: on real digits, through the Distiller, it falls to less than half of its first value."""

import dataclasses
import functools

import keras
import numpy as np
import pytest

import keras_kd as kd
from benchmarks.training import TASKS, TRAININGS, fall, teacher_of
from tests.sharing import made_once

EPOCHS = 6
# These take all the epochs that their rows give them.
SLOW_TO_FALL = {"ClassCorrelation", "NormalizedKD", "VariationalInformation", "WeightedSoftLabels"}


def digits_teacher():
    """As wide as that of the benchmark, and tapped at the same names, but a third as deep: traced faster."""
    x = inputs = keras.Input((8, 8, 1))
    for stage, (width, stride) in enumerate(((24, 1), (48, 2), (96, 2)), 1):
        x = keras.layers.Conv2D(width, 3, strides=stride, padding="same", name=f"conv{stage}")(x)
        x = keras.layers.BatchNormalization(momentum=0.9, name=f"norm{stage}")(x)
        x = keras.layers.ReLU(name=f"stage{stage}")(keras.layers.Identity(name=f"sum{stage}")(x))
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(inputs, keras.layers.Dense(10, name="logits")(x), name="digits_teacher")


@pytest.fixture(scope="module", autouse=True)
def shallow():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kd.models, "digits_teacher", digits_teacher)
        patch.setitem(TASKS, "digits", dataclasses.replace(TASKS["digits"], teacher=digits_teacher))
        yield


@functools.cache
def with_weights(task, file):
    teacher = TASKS[task].teacher()
    teacher.load_weights(file)
    return teacher


@pytest.fixture
def teacher(name, tmp_path_factory, traced_once):
    """The teacher of a task is trained once, by the worker that needs it first."""
    task = TRAININGS[name].task

    def make(folder):
        file = folder / "teacher.weights.h5"
        teacher_of(task, epochs=3).save_weights(file)
        return file

    return with_weights(task, made_once(tmp_path_factory, f"teacher_{task}", make))


@pytest.mark.slow
@pytest.mark.parametrize("name", TRAININGS)
def test_falls_by_half(name, teacher):
    epochs = None if name in SLOW_TO_FALL else EPOCHS
    first, last = fall(name, teacher, epochs, enough=0.5)  # most need an epoch or two
    assert np.isfinite(last)
    assert last < first / 2
