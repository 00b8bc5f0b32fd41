"""What the main job is to do, and the checks before hours of training."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import keras

from keras_kd.datasets import Data
from keras_kd.distillation.distiller import Distiller


@dataclass(frozen=True)
class Hyperparameters:
    """How the main job trains.

    Args:
        teacher_epochs: Epochs of the teacher.
        student_epochs: Epochs of each student.
        learning_rate: Initial learning rate of Adam, which decays to zero along a cosine.
        temperature: Temperature of the soft targets.
        alpha: Weight of the hard loss; the soft targets have weight `1 - alpha`.
    """

    teacher_epochs: int
    student_epochs: int
    learning_rate: float = 2e-3
    temperature: float = 4.0
    alpha: float = 0.1


@dataclass(frozen=True)
class Experiment:
    """A teacher, a student, the data, and how the student is trained.

    Args:
        data: The dataset.
        teacher: Makes the teacher: trained, or to be trained first (`train_teacher`).
        student: Makes the student; called after the seed is set.
        hyperparameters: How to train.
        train_teacher: Whether the teacher is trained, on all labels.
        labels: How many inputs have a label that the student sees; `None` for all. Alone, it trains on these
            inputs; distilled, on the same labels and on the teacher's soft targets for every training input.
        seeds: How many times the student is trained both ways. Files are made from the first seed.
    """

    data: Data
    teacher: Callable[[], keras.Model]
    student: Callable[[], keras.Model]
    hyperparameters: Hyperparameters
    train_teacher: bool = False
    labels: int | None = None
    seeds: int = 1


@dataclass(frozen=True)
class Progress:
    """Where a job reports its progress: lines that stay, and notes that the next one replaces."""

    say: Callable[[str], None] = lambda text: None
    note: Callable[[str], None] = lambda text: None


def check_experiment(experiment: Experiment) -> None:
    """Raise a `ValueError` for what would fail later, perhaps after hours of training."""
    teacher, student = experiment.teacher(), experiment.student()
    check_models_fit(teacher, student, experiment.data)
    hyperparameters = experiment.hyperparameters
    if not 0 < hyperparameters.learning_rate < math.inf:
        raise ValueError(
            f"The learning rate must be positive and finite. Received: {hyperparameters.learning_rate}."
        )
    Distiller(student, teacher, temperature=hyperparameters.temperature, alpha=hyperparameters.alpha)
    if experiment.labels is not None:
        experiment.data.labelled_only(experiment.labels)


def check_models_fit(teacher: keras.Model, student: keras.Model, data: Data) -> None:
    """Raise a `ValueError` unless the models fit the data and each other."""
    for role, model in (("teacher", teacher), ("student", student)):
        if any(len(getattr(model, ends, None) or []) != 1 for ends in ("inputs", "outputs")):
            raise ValueError(f"The {role} must be a built model with one input and one output.")
        shape, output = tuple(model.inputs[0].shape[1:]), tuple(model.outputs[0].shape)
        if len(shape) != len(data.input_shape) or any(
            expected not in (None, size) for expected, size in zip(shape, data.input_shape, strict=True)
        ):
            raise ValueError(
                f"The {role} takes inputs of shape {shape}, but the data has {data.input_shape}."
            )
        if len(output) != 2 or output[-1] < data.classes:
            raise ValueError(
                f"The {role} must give one score per class, (batch, {data.classes}). "
                f"Its output has the shape {output}."
            )
    classes = teacher.outputs[0].shape[-1], student.outputs[0].shape[-1]
    if classes[0] != classes[1]:
        raise ValueError(
            f"The teacher has {classes[0]} classes and the student {classes[1]}: they must be the same "
            "classes."
        )
