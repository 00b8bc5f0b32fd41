"""The main job on the datasets and models of the package."""

import os
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import keras

from keras_kd import datasets, models
from keras_kd.jobs.distil import distil
from keras_kd.jobs.experiment import Experiment, Progress
from keras_kd.jobs.hyperparameters import Hyperparameters
from keras_kd.jobs.runs import Run
from keras_kd.reports import Report


class _Demo(NamedTuple):
    """Two models, and how they are trained."""

    teacher: Callable[[], keras.Model]
    student: Callable[[], keras.Model]
    hyperparameters: Hyperparameters
    teacher_augment: tuple[str, ...] = ()


# What pays on Fashion-MNIST, and how it was found, is in docs/teachers.md.
_DEMOS = {
    "digits": _Demo(
        models.digits_teacher,
        models.digits_student,
        Hyperparameters(teacher_epochs=20, student_epochs=40),
    ),
    "fashion_mnist": _Demo(
        models.fashion_teacher,
        partial(models.plain, "fashion_student", (28, 28, 1), (24, 48, 64), (2, 2, 2)),
        Hyperparameters(teacher_epochs=30, student_epochs=60, temperature=2.0),
        teacher_augment=("flip", "shift"),
    ),
}


def demo(
    data: str = "digits",
    *,
    labels: int | None = None,
    seeds: int = 1,
    epochs: int | None = None,
    out: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    command: str | None = None,
) -> tuple[Run, Report]:
    """Do the main job on a dataset and models of the package.

    Args:
        data: `"digits"` or `"fashion_mnist"`.
        labels: The number of labels that the students see.
        seeds: How often the student is trained each way.
        epochs: Epochs of every training run, in place of the demo's own.
        out: Folder for the results; default `runs/` and a name made from the arguments.
        progress: Where to report progress.
        command: The command that was typed, for the report.

    Returns:
        The folder and the report.

    Raises:
        ValueError: An unknown dataset, or fewer labels than classes.
        OSError: The folder cannot be used, or the data is not available.

    Examples:
        >>> from keras_kd.jobs.demo import demo
        >>> run, report = demo("digits", epochs=2)  # doctest: +SKIP
    """
    if data not in _DEMOS:
        raise ValueError(f"Unknown data set {data!r}. There are {', '.join(_DEMOS)}.")
    progress = progress or Progress()
    teacher, student, hyperparameters, teacher_augment = _DEMOS[data]
    if epochs is not None:
        hyperparameters = replace(hyperparameters, teacher_epochs=epochs, student_epochs=epochs)
    loaded = datasets.digits() if data == "digits" else datasets.fashion_mnist(progress=progress.say)
    if labels is not None:
        loaded.labelled_only(labels)  # too few labels raise an error before the folder is created
    # The key is the one for the settings in folders of earlier versions.
    settings = {"data": data, "labels": labels, "seeds": seeds, "recipe": asdict(hyperparameters)}
    run = Run(out or Path("runs") / _folder_name(data, labels, seeds, epochs), settings)
    experiment = Experiment(
        loaded,
        teacher,
        student,
        hyperparameters,
        train_teacher=True,
        teacher_augment=teacher_augment,
        labels=labels,
        seeds=seeds,
    )
    return run, distil(run, experiment, progress=progress, command=command)


def _folder_name(data: str, labels: int | None, seeds: int, epochs: int | None) -> str:
    options = {"labels": labels, "seeds": seeds if seeds > 1 else None, "epochs": epochs}
    return "-".join([data, *(f"{value}-{key}" for key, value in options.items() if value is not None)])
