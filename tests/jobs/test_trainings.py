"""The trainings of the main job: what differs between the two students is the teacher."""

import dataclasses

import keras
import numpy as np
import pytest

from keras_kd.datasets.data import Split, make_data
from keras_kd.jobs.experiment import Experiment, Progress
from keras_kd.jobs.hyperparameters import Hyperparameters
from keras_kd.jobs.runs import Run
from keras_kd.jobs.tasks import Task
from keras_kd.jobs.training_files import ALONE, DISTILLED, NAMES, TEACHER
from keras_kd.jobs.trainings import Trainings
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


def flipped(samples=64):
    """Images whose left half is bright."""
    x = np.zeros((samples, 8, 8, 1), "float32")
    x[:, :, :4] = 1
    return Split(x, np.arange(samples, dtype="int32") % 10)


def normalizing():
    """A linear model whose BatchNorm holds the mean brightness of each column."""
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.BatchNormalization(axis=2, name="norm")(inputs)
    return keras.Model(inputs, keras.layers.Dense(10)(keras.layers.Flatten()(x)))


def columns(model):
    return np.asarray(model.get_layer("norm").moving_mean)


def test_statistics_that_lag_are_renewed_from_what_the_student_saw_and_noted(tmp_path, monkeypatch):
    traced, step = [], keras.Model.train_step
    monkeypatch.setattr(keras.Model, "train_step", lambda *given: traced.append(1) or step(*given))

    data = make_data("halves", 10, *(flipped() for _ in range(3)), 32)
    experiment = Experiment(data, normalizing, normalizing, Hyperparameters(0, 1, augment=("flip",)))
    lines = []
    trainings = Trainings(Run(tmp_path, {}), experiment, [Task("classes")], Progress(say=lines.append))
    trained = trainings.student("alone", normalizing(), 0)
    assert len(traced) == 1  # without a teacher Keras traces a step twice, unless all variables are there
    assert "student alone, seed 0: its BatchNorm statistics lagged" in lines[-1]
    mean = columns(trainings.load(trained))
    assert np.all((mean > 0.3) & (mean < 0.7)), mean
    (renewal,) = trainings.renewals().values()
    assert renewal.after == trained.validation["output"].mean()


def test_a_teacher_learns_from_images_that_change_and_its_student_from_those_that_do_not(tmp_path):
    data = make_data("halves", 10, *(flipped() for _ in range(3)), 32)
    experiment = Experiment(
        data,
        normalizing,
        normalizing,
        Hyperparameters(1, 1),
        train_teacher=True,
        teacher_augment=("flip",),
    )
    trainings = Trainings(Run(tmp_path, {}), experiment, [Task("classes")], Progress())
    teacher = trainings.teacher()
    assert np.all(columns(teacher) > 0.3)
    right = columns(trainings.load(trainings.student("alone", teacher, 0)))[4:]
    assert np.all(right == 0)
