"""The trainings of the main job: what differs between the two students is the teacher."""

import dataclasses

import numpy as np
import pytest

from keras_kd.jobs.experiment import Progress
from keras_kd.jobs.runs import Run
from keras_kd.jobs.tasks import Task
from keras_kd.jobs.trainings import ALONE, DISTILLED, NAMES, TEACHER, Trainings
from tests.conftest import classifier


@pytest.mark.slow
def test_both_students_start_from_the_same_weights(experiment, tmp_path):
    # With next to no learning rate nothing is learned, so what is left is the start.
    rate = dataclasses.replace(experiment.hyperparameters, learning_rate=1e-30)
    experiment = dataclasses.replace(experiment, hyperparameters=rate)
    trainings = Trainings(Run(tmp_path, {}), experiment, [Task("classes")], Progress())
    teacher = classifier("teacher", 8)
    with pytest.warns(UserWarning, match="The teacher 'teacher' .* next to nothing to learn"):
        alone, distilled = (trainings.load(trainings.student(kind, teacher, 0)) for kind in NAMES)
    for a, b in zip(alone.trainable_weights, distilled.trainable_weights, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-20)


def test_what_a_run_holds_is_read(finished, experiment):
    run, report, _ = finished
    trainings = Trainings(run, experiment, [Task("classes")], Progress())
    students = [trainings.student(kind, None, 0) for kind in NAMES]
    assert students[1].test["output"].mean() == pytest.approx(report[DISTILLED].accuracy)
    curves = trainings.curves(students)
    assert list(curves) == [TEACHER, ALONE, DISTILLED]
    assert {key for curve in curves.values() for key in curve} == {"val_accuracy", "val_loss"}
    without_teacher = dataclasses.replace(experiment, train_teacher=False)
    untrained = Trainings(run, without_teacher, [Task("classes")], Progress())
    assert list(untrained.curves(students)) == [ALONE, DISTILLED]
