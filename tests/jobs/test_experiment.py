"""What is refused before anything is trained."""

import dataclasses

import keras
import pytest

from keras_kd.jobs.distil import distil
from keras_kd.jobs.experiment import check_experiment, check_models_fit
from keras_kd.jobs.runs import Run


def linear(shape, classes):
    inputs = keras.Input(shape)
    return keras.Model(inputs, keras.layers.Dense(classes)(keras.layers.Flatten()(inputs)))


@pytest.mark.parametrize(
    ("teacher", "student", "message"),
    [
        (lambda: linear((8, 8, 1), 12), lambda: linear((8, 8, 1), 10), "12 classes and the student 10"),
        (lambda: linear((9, 9, 1), 10), lambda: linear((8, 8, 1), 10), "teacher takes inputs of shape"),
        (lambda: linear((8, 8, 1), 10), lambda: linear((64,), 10), "student takes inputs of shape"),
        (lambda: linear((8, 8, 1), 10), lambda: linear((8, 8, 1), 5), "one score per class"),
        (
            lambda: keras.Sequential([keras.layers.Dense(10)]),
            lambda: linear((8, 8, 1), 10),
            "built functional or sequential model with one input",
        ),
    ],
)
def test_models_that_do_not_fit_are_refused_first(experiment, tmp_path, teacher, student, message):
    with pytest.raises(ValueError, match=message):
        check_models_fit(teacher(), student(), experiment.data)
    run = Run(tmp_path, {})
    with pytest.raises(ValueError, match=message):
        distil(run, dataclasses.replace(experiment, teacher=teacher, student=student))
    assert {file.name for file in tmp_path.iterdir()} == {"SHA256SUMS", "settings.json"}


@pytest.mark.parametrize(
    ("change", "message"),
    [({"temperature": 0.0}, "positive number"), ({"learning_rate": float("inf")}, "learning rate")],
)
def test_hyperparameters_that_cannot_work_are_refused_first(experiment, tmp_path, change, message):
    hyperparameters = dataclasses.replace(experiment.hyperparameters, **change)
    with pytest.raises(ValueError, match=message):
        distil(Run(tmp_path, {}), dataclasses.replace(experiment, hyperparameters=hyperparameters))
    assert {file.name for file in tmp_path.iterdir()} == {"SHA256SUMS", "settings.json"}


def test_fewer_labels_than_classes_are_refused(experiment):
    check_experiment(experiment)
    with pytest.raises(ValueError, match="labels must be from 10"):
        check_experiment(dataclasses.replace(experiment, labels=9))


def test_an_unknown_augmentation_of_the_teacher_is_refused_first(experiment):
    with pytest.raises(ValueError, match=r"no augmentation 'shft'; .*Did you mean 'shift'"):
        check_experiment(dataclasses.replace(experiment, teacher_augment=("shft",)))
