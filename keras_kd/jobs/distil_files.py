"""The main job on a user's own models and data."""

import os
from dataclasses import replace
from pathlib import Path

from keras_kd.jobs import findings
from keras_kd.jobs.continuation import open_run
from keras_kd.jobs.distil import distil
from keras_kd.jobs.experiment import QUANTIZATIONS, Progress, check_experiment
from keras_kd.jobs.hyperparameters import Hyperparameters
from keras_kd.jobs.preflight import find_doubts, require_no_doubts
from keras_kd.jobs.runs import Run
from keras_kd.jobs.student_files import set_aside_others
from keras_kd.jobs.training_files import MADE_STUDENT
from keras_kd.jobs.user_files import Options, UserFiles, settings_of_run
from keras_kd.reports import Report


def distil_files(
    user_files: UserFiles,
    out: str | os.PathLike[str],
    hyperparameters: Hyperparameters,
    *,
    labels: int | None = None,
    seeds: int = 1,
    files: tuple[str, ...] = QUANTIZATIONS,
    metric: str | None = None,
    tensorboard: Path | None = None,
    more_epochs: bool = False,
    strict: bool = False,
    progress: Progress | None = None,
    command: str | None = None,
) -> tuple[Run, Report]:
    """Do the main job on a user's own models and data.

    Args:
        user_files: The models and the data.
        out: Folder for the results.
        hyperparameters: How to train.
        labels: The number of labels that the students see.
        seeds: How often the student is trained each way.
        files: The quantizations of the files that are made.
        metric: The name of a Keras metric that is measured besides.
        tensorboard: A folder for logs of the trainings.
        more_epochs: Whether a run of fewer epochs in the folder is continued. The students keep what they
            learned; Adam and the learning rate start anew.
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
        >>> from keras_kd.jobs.hyperparameters import Hyperparameters
        >>> from keras_kd.jobs.user_files import UserFiles
        >>> mine = UserFiles("big.keras", "small.keras", "mine.npz")
        >>> distil_files(mine, "runs/mine", Hyperparameters(0, 20))
        Traceback (most recent call last):
        FileNotFoundError: There is no file 'big.keras'.
    """
    progress = progress or Progress()
    progress.note("reading the models and the data")
    made = user_files.experiment(hyperparameters, progress)
    experiment = replace(
        made, labels=labels, seeds=seeds, files=files, metric=metric, tensorboard=tensorboard
    )
    tasks = check_experiment(experiment)  # before the folder is created
    if strict:
        require_no_doubts(find_doubts(made.teacher(), made.student(), tasks, made.data))
    settings = settings_of_run(
        user_files, hyperparameters, Options(labels=labels, seeds=seeds, files=files, metric=metric)
    )
    run = open_run(out, settings, more_epochs=more_epochs)
    set_aside_others(run, files, progress)
    progress.say(f"{made.data.source}; the labels are {findings.labels_in_words(tasks)}")
    if made.origin:
        progress.say(made.origin)
        experiment = replace(experiment, student=lambda: run.model(MADE_STUDENT, made.student))
    earlier = tuple(run.settings["recipe"]["earlier"])
    experiment = replace(experiment, hyperparameters=replace(hyperparameters, earlier=earlier))
    report = distil(run, experiment, tasks=tasks, strict=strict, progress=progress, command=command)
    return run, report
