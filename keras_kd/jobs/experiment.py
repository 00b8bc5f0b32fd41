"""What the main job is to do, and the checks before hours of training."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras

from keras_kd.datasets import Data
from keras_kd.deployment import quantizations
from keras_kd.jobs.augmentation import make_augmentation
from keras_kd.jobs.hyperparameters import Hyperparameters
from keras_kd.jobs.objectives import make_distiller
from keras_kd.jobs.scoring import check_metric
from keras_kd.jobs.tasks import Task, find_outputs, find_tasks
from keras_kd.messages import did_you_mean

QUANTIZATIONS = tuple(row.label for row in quantizations.QUANTIZATIONS)


# A test of differences needs as many samples.
_FEWEST = 2


@dataclass(frozen=True)
class Experiment:
    """A teacher, a student, the data, and how the student is trained.

    Args:
        data: The dataset.
        teacher: Makes the teacher: trained, or to be trained first (`train_teacher`).
        student: Makes the student; called after the seed is set.
        hyperparameters: How to train.
        train_teacher: Whether the teacher is trained, on all labels.
        teacher_augment: How images are changed at random while it is, as `augment` of `Hyperparameters`.
        keep_teacher: Whether the run keeps a copy of the teacher, which then a file of Keras must be able to
            hold.
        labels: How many inputs have a label that the student sees; `None` for all. Alone, it trains on these
            inputs; distilled, on the same labels and on the teacher's soft targets for every training input.
        seeds: How many times the student is trained both ways.
        files: The quantizations of the files that are made.
        metric: The name of a Keras metric that is measured besides.
        tensorboard: The folder for the logs that TensorBoard shows.
        origin: What the student was made from, in words, if it was made.
    """

    data: Data
    teacher: Callable[[], keras.Model]
    student: Callable[[], keras.Model]
    hyperparameters: Hyperparameters
    train_teacher: bool = False
    teacher_augment: tuple[str, ...] = ()
    keep_teacher: bool = True
    labels: int | None = None
    seeds: int = 1
    files: tuple[str, ...] = QUANTIZATIONS
    metric: str | None = None
    tensorboard: Path | None = None
    origin: str = ""


@dataclass(frozen=True)
class Progress:
    """Where a job reports its progress: lines that stay, and notes that the next one replaces."""

    say: Callable[[str], None] = lambda text: None
    note: Callable[[str], None] = lambda text: None


def check_experiment(experiment: Experiment) -> tuple[Task, ...]:
    """The tasks of the models' outputs.

    Raises:
        ValueError: What would fail later, perhaps after hours of training.
    """
    teacher, student, hyperparameters = experiment.teacher(), experiment.student(), experiment.hyperparameters
    tasks = check_models_fit(teacher, student, experiment.data)
    if not 0 < hyperparameters.learning_rate < math.inf:
        raise ValueError(
            f"The learning rate must be positive and finite. Received: {hyperparameters.learning_rate}."
        )
    all_labels = experiment.labels is None
    make_distiller(student, teacher, tasks, hyperparameters, use_sample_weight=all_labels)
    for names in (hyperparameters.augment, experiment.teacher_augment):
        make_augmentation(names, experiment.data.input_shape)
    for name in experiment.files:
        if name not in QUANTIZATIONS:
            raise ValueError(
                f"There is no quantization {name!r}; there are {', '.join(QUANTIZATIONS)}."
                f"{did_you_mean(name, QUANTIZATIONS)}"
            )
    if experiment.labels is not None:
        experiment.data.labelled_only(experiment.labels)
    _check_data(experiment.data)
    check_metric(student, tasks, experiment.data, metric_of(tasks, experiment.metric))
    return tasks


def _check_data(data: Data) -> None:
    """Raise a `ValueError` for data by which nothing can be judged."""
    if data.classes == 1:
        raise ValueError("The data has a single class, so there is nothing to learn. At least 2 are needed.")
    for split in ("validation", "test"):
        if len(data.arrays[split].x) < _FEWEST:
            raise ValueError(
                f"The {split} split has {len(data.arrays[split].x)} sample, by which no model can be judged. "
                f"At least {_FEWEST} are needed."
            )


def metric_of(tasks: Sequence[Task], asked: str | None) -> str | dict[str, str]:
    """What the report measures of the first output: what was asked for, or else what decides."""
    task = tasks[0]
    metric = asked or ("mean_absolute_error" if task.kind == "numbers" else "accuracy")
    return metric if task.name is None else {task.name: metric}


def check_models_fit(teacher: keras.Model, student: keras.Model, data: Data) -> tuple[Task, ...]:
    """The tasks of the models' outputs.

    Raises:
        ValueError: The models do not fit the data, or each other.
    """
    for role, model in (("teacher", teacher), ("student", student)):
        if len(getattr(model, "inputs", None) or []) != 1 or not getattr(model, "outputs", None):
            raise ValueError(
                f"The {role} must be a built functional or sequential model with one input. For others, use "
                "kd.Distiller in Python."
            )
        shape = tuple(model.inputs[0].shape[1:])
        if len(shape) != len(data.input_shape) or any(
            expected not in (None, size) for expected, size in zip(shape, data.input_shape, strict=True)
        ):
            raise ValueError(
                f"The {role} takes inputs of shape {shape}, but the data has {data.input_shape}."
            )
    found = {role: _tasks(role, model, data) for role, model in (("teacher", teacher), ("student", student))}
    _check_same_outputs(teacher, student, found)
    return found["student"]


def _tasks(role: str, model: keras.Model, data: Data) -> tuple[Task, ...]:
    try:
        return find_tasks(model, data.arrays["train"].y)
    except ValueError as error:
        raise ValueError(f"The {role} does not fit the data: {error}") from None


def _check_same_outputs(
    teacher: keras.Model, student: keras.Model, found: dict[str, tuple[Task, ...]]
) -> None:
    names = {role: {task.name for task in tasks} for role, tasks in found.items()}
    if names["teacher"] != names["student"]:
        raise ValueError(
            f"The teacher's outputs are {sorted(map(str, names['teacher']))}, and the student's "
            f"{sorted(map(str, names['student']))}: they must have the same names."
        )
    shapes = [{output.name: output.shape for output in find_outputs(model)} for model in (teacher, student)]
    for name in names["student"]:
        sizes = [of_model[name] for of_model in shapes]
        if sizes[0][-1] != sizes[1][-1] or len(sizes[0]) != len(sizes[1]):
            what = "classes" if found["student"][0].kind in ("classes", "one-hot") else "outputs"
            raise ValueError(
                f"The teacher has {sizes[0][-1]} {what} and the student {sizes[1][-1]}: they must be the "
                f"same {what}."
            )
