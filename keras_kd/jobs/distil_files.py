"""The main job on a user's own models and data."""

import os
from dataclasses import asdict

from keras_kd import datasets
from keras_kd.datasets.npz import NotClasses
from keras_kd.jobs.checksums import file_digest
from keras_kd.jobs.distil import distil
from keras_kd.jobs.experiment import Experiment, Hyperparameters, Progress, check_experiment
from keras_kd.jobs.preflight import find_doubts, require_no_doubts
from keras_kd.jobs.runs import Run
from keras_kd.model_files import load_model
from keras_kd.reports import Report


def distil_files(
    teacher: str | os.PathLike[str],
    student: str | os.PathLike[str],
    data: str | os.PathLike[str],
    out: str | os.PathLike[str],
    hyperparameters: Hyperparameters,
    *,
    batch_size: int = 64,
    labels: int | None = None,
    seeds: int = 1,
    strict: bool = False,
    progress: Progress | None = None,
    command: str | None = None,
) -> tuple[Run, Report]:
    """Do the main job on a user's own models and data.

    Args:
        teacher: A trained teacher, a `.keras` file.
        student: The student with its initial weights, a `.keras` file.
        data: An `.npz` file, see `keras_kd.datasets.load`.
        out: Folder for the results.
        hyperparameters: How to train.
        batch_size: Samples per step.
        labels: The number of labels that the students see.
        seeds: How often the student is trained each way.
        strict: Whether a teacher that has little to teach is an error instead of a warning.
        progress: Where to report progress.
        command: The command that was typed, for the report.

    Returns:
        The folder and the report.

    Raises:
        ValueError: Files that cannot be used, or models that do not fit the data or each other.
        OSError: Missing files, or a folder that cannot be used.

    Examples:
        >>> from keras_kd.jobs.distil_files import distil_files
        >>> from keras_kd.jobs.experiment import Hyperparameters
        >>> distil_files("big.keras", "small.keras", "mine.npz", "runs/mine", Hyperparameters(0, 20))
        Traceback (most recent call last):
        FileNotFoundError: There is no file 'big.keras'.
    """
    trained = load_model(teacher)
    experiment = Experiment(
        _load_classes(data, batch_size),
        lambda: trained,
        lambda: load_model(student),
        hyperparameters,
        labels=labels,
        seeds=seeds,
    )
    check_experiment(experiment)  # before the folder is created
    if strict:
        require_no_doubts(find_doubts(trained, experiment.student(), experiment.data))
    files = {"teacher": file_digest(teacher), "student": file_digest(student), "data": file_digest(data)}
    options = {"batch_size": batch_size, "labels": labels, "seeds": seeds}
    # The last key is the one for the settings in folders of earlier versions.
    run = Run(out, {**files, **options, "recipe": asdict(hyperparameters)})
    return run, distil(run, experiment, strict=strict, progress=progress, command=command)


def _load_classes(path: str | os.PathLike[str], batch_size: int) -> datasets.Data:
    try:
        return datasets.load(path, batch_size=batch_size)
    except NotClasses as error:  # the shape of numbers to predict can be right: the job is for classes
        raise ValueError(
            "distill is for models with one score per class, and labels that are class numbers; for others, "
            f"use kd.Distiller in Python. {error}"
        ) from None
