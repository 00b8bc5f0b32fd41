"""The main job on a user's own models and data."""

import os
from dataclasses import asdict, dataclass, replace
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
from keras_kd.jobs.runs import Json, Run
from keras_kd.model_files import load_model
from keras_kd.reports import Report


@dataclass(frozen=True)
class UserFiles:
    """A user's models and data, and how the data is read.

    Args:
        teacher: A trained teacher, a `.keras`, `.h5` or `.hdf5` file.
        student: The student with its initial weights, likewise.
        data: An `.npz` file, a folder of images, a table, or `"tfds:NAME"`, as `datasets.open_data` takes it.
        batch_size: Samples per step.
        target: The columns of a table that hold the labels.
        pixels: The range of pixels that the models expect.
        image_size: Height and width of images, for models that leave them free.

    Examples:
        >>> from keras_kd.jobs.distil_files import UserFiles
        >>> UserFiles("big.keras", "small.keras", "photos/").pixels
        '0..255'
    """

    teacher: str | os.PathLike[str]
    student: str | os.PathLike[str]
    data: str | os.PathLike[str]
    batch_size: int = 64
    target: str | None = None
    pixels: Pixels = "0..255"
    image_size: tuple[int, int] | None = None

    def experiment(self, hyperparameters: Hyperparameters, progress: Progress) -> Experiment:
        """What is trained, with everything loaded but the student."""
        teacher = load_model(self.teacher, compile=False)  # the job compiles them itself
        data = open_data(
            self.data,
            ModelShape.of(teacher),
            batch_size=self.batch_size,
            target=self.target,
            pixels=self.pixels,
            image_size=self.image_size,
            progress=progress.note,
        )
        return Experiment(
            data, lambda: teacher, lambda: load_model(self.student, compile=False), hyperparameters
        )

    def settings(self) -> dict[str, Json]:
        """What results depend on: the content of the files, and how the data is read."""
        sources = {"teacher": self.teacher, "student": self.student, "data": self.data}
        return {
            **{role: content_digest(source) for role, source in sources.items()},
            "batch_size": self.batch_size,
            "target": self.target,
            "pixels": self.pixels,
            "image_size": None if self.image_size is None else list(self.image_size),
        }


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
        >>> from keras_kd.jobs.distil_files import UserFiles, distil_files
        >>> from keras_kd.jobs.hyperparameters import Hyperparameters
        >>> mine = UserFiles("big.keras", "small.keras", "mine.npz")
        >>> distil_files(mine, "runs/mine", Hyperparameters(0, 20))
        Traceback (most recent call last):
        FileNotFoundError: There is no file 'big.keras'.
    """
    progress = progress or Progress()
    made = user_files.experiment(hyperparameters, progress)
    experiment = replace(
        made, labels=labels, seeds=seeds, files=files, metric=metric, tensorboard=tensorboard
    )
    tasks = check_experiment(experiment)  # before the folder is created
    if strict:
        require_no_doubts(find_doubts(made.teacher(), made.student(), tasks, made.data))
    options: dict[str, Json] = {"labels": labels, "seeds": seeds, "files": list(files), "metric": metric}
    # The last key is the one for the settings in folders of earlier versions.
    settings = {**user_files.settings(), **options, "recipe": asdict(hyperparameters)}
    run = open_run(out, settings, more_epochs=more_epochs)
    progress.say(f"{made.data.source}; the labels are {findings.labels_in_words(tasks)}")
    earlier = tuple(run.settings["recipe"]["earlier"])
    experiment = replace(experiment, hyperparameters=replace(hyperparameters, earlier=earlier))
    report = distil(run, experiment, tasks=tasks, strict=strict, progress=progress, command=command)
    return run, report
