"""Every loss trains: on real digits, through the Distiller, it falls to less than half of its first value."""

import functools

import numpy as np
import pytest

from benchmarks.training import TASKS, TRAININGS, fall, teacher_of
from tests.sharing import made_once

EPOCHS = 6
# These take all the epochs that their rows give them.
SLOW_TO_FALL = {"ClassCorrelation", "NormalizedKD", "VariationalInformation"}


@functools.cache
def with_weights(task, file):
    teacher = TASKS[task].teacher()
    teacher.load_weights(file)
    return teacher


@pytest.fixture
def teacher(name, tmp_path_factory):
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
