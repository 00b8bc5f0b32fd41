"""A user's own models and data, and what a run with them depends on; known before Keras is loaded."""

import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, TypedDict

from keras_kd.contents import content_digest
from keras_kd.jobs.hyperparameters import Hyperparameters
from keras_kd.jobs.runs import Json
from keras_kd.locations import Pixels, is_keras_model

if TYPE_CHECKING:
    from collections.abc import Callable

    import keras

    from keras_kd.datasets import Data
    from keras_kd.jobs.experiment import Experiment, Progress


class Options(TypedDict):
    """What else the results of a run depend on; `distil_files` explains them."""

    labels: int | None
    seeds: int
    files: tuple[str, ...]
    metric: str | None


@dataclass(frozen=True)
class UserFiles:
    """A user's models and data, and how the data is read.

    Args:
        teacher: A trained teacher, a `.keras`, `.h5`, `.hdf5`, `.tflite` or `.onnx` file, or a SavedModel.
        student: The student with its initial weights, likewise; or a fraction in (0, 1]: the student is made
            from the teacher, shrunk to this part of its multiply-adds.
        data: An `.npz` file, a folder of images, a table, or `"tfds:NAME"`, as `datasets.open_data` takes it.
        batch_size: Samples per step.
        target: The columns of a table that hold the labels.
        pixels: The range of pixels that the models expect.
        image_size: Height and width of images, for models that leave them free.

    Examples:
        >>> from keras_kd.jobs.user_files import UserFiles
        >>> UserFiles("big.keras", "small.keras", "photos/").pixels
        '0..255'
    """

    teacher: str | os.PathLike[str]
    student: str | os.PathLike[str] | float
    data: str | os.PathLike[str]
    batch_size: int = 64
    target: str | None = None
    pixels: Pixels = "0..255"
    image_size: tuple[int, int] | None = None

    def experiment(self, hyperparameters: Hyperparameters, progress: "Progress") -> "Experiment":
        """What is trained, with everything loaded but the student."""
        from keras_kd.datasets.model_shape import ModelShape
        from keras_kd.datasets.sources import open_data
        from keras_kd.jobs.experiment import Experiment

        teacher = load_teacher(self.teacher)
        data = open_data(
            self.data,
            ModelShape.of(teacher),
            batch_size=self.batch_size,
            target=self.target,
            pixels=self.pixels,
            image_size=self.image_size,
            progress=progress.note,
        )
        student, origin = self._student(teacher, data)
        keep = is_keras_model(self.teacher)
        return Experiment(data, lambda: teacher, student, hyperparameters, keep_teacher=keep, origin=origin)

    def _student(self, teacher: "keras.Model", data: "Data") -> "tuple[Callable[[], keras.Model], str]":
        """What makes the student with its initial weights, and what that is made from, in words."""
        from keras_kd.jobs.shrunk_student import ShrunkStudent
        from keras_kd.model_files import load_model

        student = self.student
        if isinstance(student, float):
            made = ShrunkStudent(teacher, student, data)
            return made, made.describe()
        return lambda: load_model(student, compile=False), ""

    def settings(self) -> dict[str, Json]:
        """What results depend on: the content of the files, and how the data is read.

        Raises:
            OSError: A file is missing.
        """
        student = self.student
        return {
            "teacher": content_digest(self.teacher),
            "student": f"shrunk to {student}" if isinstance(student, float) else content_digest(student),
            "data": content_digest(self.data),
            "batch_size": self.batch_size,
            "target": self.target,
            "pixels": self.pixels,
            "image_size": None if self.image_size is None else list(self.image_size),
        }


def load_teacher(path: str | os.PathLike[str]) -> "keras.Model":
    """The teacher in a file or folder, not compiled, since the job does so itself.

    One that runs outside TensorFlow is asked once for each training sample; with augmentation, in each step.

    Raises:
        ImportError: The package that reads the file is not installed.
        OSError: There is no such file.
        ValueError: It does not load.
    """
    from keras_kd.teachers.as_teacher import as_teacher

    return as_teacher(path, host=True)


def settings_of_run(
    user_files: UserFiles, hyperparameters: Hyperparameters, options: Options
) -> dict[str, Json]:
    """What the results of a run depend on.

    Raises:
        OSError: A file is missing.
    """
    more: dict[str, Json] = {
        "labels": options["labels"],
        "seeds": options["seeds"],
        "files": list(options["files"]),
        "metric": options["metric"],
    }
    # The last key is the one for the settings in folders of earlier versions.
    return {**user_files.settings(), **more, "recipe": asdict(hyperparameters)}
