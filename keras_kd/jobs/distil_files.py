"""The main job on a user's own models and data."""

import os
from dataclasses import asdict, replace
from pathlib import Path

from keras_kd.datasets.data import Pixels
from keras_kd.datasets.model_shape import ModelShape
from keras_kd.datasets.sources import open_data
from keras_kd.jobs import findings
from keras_kd.jobs.checksums import content_digest
from keras_kd.jobs.continuation import open_run
from keras_kd.jobs.distil import distil
from keras_kd.jobs.experiment import QUANTIZATIONS, Experiment, Progress, check_experiment
from keras_kd.jobs.hyperparameters import Hyperparameters
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
    target: str | None = None,
    pixels: Pixels = "0..255",
    image_size: tuple[int, int] | None = None,
    labels: int | None = None,
    seeds: int = 1,
    files: tuple[str, ...] = QUANTIZATIONS,
    metric: str | None = None,
    tensorboard: str | os.PathLike[str] | None = None,
    more_epochs: bool = False,
    strict: bool = False,
    progress: Progress | None = None,
    command: str | None = None,
) -> tuple[Run, Report]:
    """Do the main job on a user's own models and data.

    Args:
        teacher: A trained teacher, a `.keras`, `.h5` or `.hdf5` file.
        student: The student with its initial weights, likewise.
        data: An `.npz` file, a folder of images, a table, or `"tfds:NAME"`, as `datasets.open_data` takes it.
        out: Folder for the results.
        hyperparameters: How to train.
        batch_size: Samples per step.
        target: The columns of a table that hold the labels.
        pixels: The range of pixels that the models expect.
        image_size: Height and width of images, for models that leave them free.
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
        >>> distil_files("big.keras", "small.keras", "mine.npz", "runs/mine", Hyperparameters(0, 20))
        Traceback (most recent call last):
        FileNotFoundError: There is no file 'big.keras'.
    """
    progress = progress or Progress()
    trained = load_model(teacher, compile=False)  # the job compiles them itself
    experiment = Experiment(
        open_data(
            data,
            ModelShape.of(trained),
            batch_size=batch_size,
            target=target,
            pixels=pixels,
            image_size=image_size,
            progress=progress.note,
        ),
        lambda: trained,
        lambda: load_model(student, compile=False),
        hyperparameters,
        labels=labels,
        seeds=seeds,
        files=files,
        metric=metric,
        tensorboard=None if tensorboard is None else Path(tensorboard),
    )
    tasks = check_experiment(experiment)  # before the folder is created
    if strict:
        require_no_doubts(find_doubts(trained, experiment.student(), tasks, experiment.data))
    sources = {"teacher": teacher, "student": student, "data": data}
    digests = {role: content_digest(source) for role, source in sources.items()}
    options = {"batch_size": batch_size, "labels": labels, "seeds": seeds, "files": files, "metric": metric}
    read = {"target": target, "pixels": pixels, "image_size": image_size}
    # The last key is the one for the settings in folders of earlier versions.
    settings = {**digests, **options, **read, "recipe": asdict(hyperparameters)}
    run = open_run(out, settings, more_epochs=more_epochs)
    progress.say(f"{experiment.data.source}; the labels are {findings.labels_in_words(tasks)}")
    earlier = tuple(run.settings["recipe"]["earlier"])
    experiment = replace(experiment, hyperparameters=replace(hyperparameters, earlier=earlier))
    return run, distil(run, experiment, strict=strict, progress=progress, command=command)
