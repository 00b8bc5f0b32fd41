"""The main job on the data and models of the package, or on a user's files."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import keras

from keras_kd import datasets, models
from keras_kd.jobs.distil import Progress, Recipe, check, distil
from keras_kd.jobs.runs import Run
from keras_kd.messages import one_line
from keras_kd.reports import Report

_Make = Callable[[], keras.Model]
_DEMOS: dict[str, tuple[_Make, _Make, Recipe]] = {
    "digits": (models.digits_teacher, models.digits_student, Recipe(teacher_epochs=20, student_epochs=40)),
    "fashion_mnist": (
        models.fashion_teacher,
        models.fashion_student,
        Recipe(teacher_epochs=8, student_epochs=16, learning_rate=4e-3, temperature=2.0),
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
    """Do the main job on a data set and models of the package.

    Args:
        data: `"digits"` or `"fashion_mnist"`.
        labels: The students see this many labels.
        seeds: How often the student is trained each way.
        epochs: Epochs of every training, in place of the recipe's.
        out: Folder of the results; default `runs/` and a name that says what was asked for.
        progress: Where to tell how it goes.
        command: What was typed, for the report.

    Returns:
        The folder and the report.

    Raises:
        ValueError: An unknown data set, or fewer labels than classes.
        OSError: A folder that cannot be used, or data that cannot be had.

    Examples:
        >>> from keras_kd.jobs.demo import demo
        >>> run, report = demo("digits", epochs=2)  # doctest: +SKIP
    """
    if data not in _DEMOS:
        raise ValueError(f"Unknown data set {data!r}. There are {', '.join(_DEMOS)}.")
    progress = progress or Progress()
    teacher, student, recipe = _DEMOS[data]
    if epochs is not None:
        recipe = replace(recipe, teacher_epochs=epochs, student_epochs=epochs)
    asked = {"labels": labels, "seeds": seeds if seeds > 1 else None, "epochs": epochs}
    name = "-".join([data, *(f"{value}-{key}" for key, value in asked.items() if value is not None)])
    settings = {"data": data, "labels": labels, "seeds": seeds, "recipe": asdict(recipe)}
    loaded = datasets.digits() if data == "digits" else datasets.fashion_mnist(progress=progress.say)
    if labels is not None:
        loaded.labelled_only(labels)  # says that there are too few before the folder is made
    run = Run(out or Path("runs") / name, settings)
    report = distil(
        run,
        loaded,
        teacher,
        student,
        recipe,
        train_teacher=True,
        labels=labels,
        seeds=seeds,
        progress=progress,
        command=command,
    )
    return run, report


def distil_files(
    teacher: str | os.PathLike[str],
    student: str | os.PathLike[str],
    data: str | os.PathLike[str],
    out: str | os.PathLike[str],
    recipe: Recipe,
    *,
    batch_size: int = 64,
    labels: int | None = None,
    seeds: int = 1,
    progress: Progress | None = None,
    command: str | None = None,
) -> tuple[Run, Report]:
    """Do the main job on a user's own models and data.

    Args:
        teacher: A trained teacher, a `.keras` file.
        student: The student with its first weights, a `.keras` file.
        data: An `.npz` file, see `keras_kd.datasets.load`.
        out: Folder of the results.
        recipe: How to train.
        batch_size: Samples a step.
        labels: The students see this many labels.
        seeds: How often the student is trained each way.
        progress: Where to tell how it goes.
        command: What was typed, for the report.

    Returns:
        The folder and the report.

    Raises:
        ValueError: Files that cannot be used, or models that do not fit the data or one another.
        OSError: Missing files, or a folder that cannot be used.

    Examples:
        >>> from keras_kd.jobs.demo import distil_files
        >>> from keras_kd.jobs.distil import Recipe
        >>> distil_files("big.keras", "small.keras", "mine.npz", "runs/mine", Recipe(0, 20))
        Traceback (most recent call last):
        FileNotFoundError: There is no file big.keras.
    """
    big, small = read_model(teacher), read_model(student)
    loaded = datasets.load(data, batch_size=batch_size)
    settings = {
        "teacher": _digest(teacher),
        "student": _digest(student),
        "data": _digest(data),
        "batch_size": batch_size,
        "labels": labels,
        "seeds": seeds,
        "recipe": asdict(recipe),
    }
    check(loaded, big, small, recipe, labels)
    run = Run(out, settings)
    report = distil(
        run,
        loaded,
        lambda: big,
        lambda: read_model(student),
        recipe,
        labels=labels,
        seeds=seeds,
        progress=progress,
        command=command,
    )
    return run, report


def read_model(path: str | os.PathLike[str]) -> keras.Model:
    """Read a `.keras` file without running code that it brings.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no `.keras` file.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    if path.suffix != ".keras":
        raise ValueError(
            f"Expected a .keras file, received {path}. Save the model with model.save('NAME.keras')."
        )
    try:
        return keras.saving.load_model(path, safe_mode=True)
    except (ValueError, TypeError, OSError) as error:
        raise ValueError(f"{path} does not load: {one_line(error)}") from error


def _digest(path: str | os.PathLike[str]) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()
