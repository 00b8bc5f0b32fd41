"""Options of commands that train; what they name is checked before TensorFlow loads, as far as it can be."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from keras_kd.cli.options import QuantizationOption, usage_errors
from keras_kd.compression.shrinking.fractions import check_fraction
from keras_kd.folders import check_folder
from keras_kd.jobs.hyperparameters import AUGMENTATIONS
from keras_kd.jobs.objective_specs import check_objectives, parse_objective
from keras_kd.loss_names import check_loss_name
from keras_kd.messages import did_you_mean


def listed(text: str | None) -> tuple[str, ...]:
    """The words of a list with commas, each once.

    Examples:
        >>> listed("int8, float16,int8"), listed(None)
        (('int8', 'float16'), ())
    """
    words = (word.strip().lower() for word in (text or "").split(","))
    return tuple(dict.fromkeys(word for word in words if word))


def _check_list(known: Sequence[str]) -> Callable[[str | None], str | None]:
    def check(text: str | None) -> str | None:
        if text is not None and not listed(text):
            raise typer.BadParameter(f"expected some of {', '.join(known)}, with commas between them.")
        for word in listed(text):
            if word not in known:
                hint = did_you_mean(word, known)
                raise typer.BadParameter(f"there is no {word!r}; there are {', '.join(known)}.{hint}")
        return text

    return check


def _check_objectives(texts: list[str] | None) -> list[str] | None:
    with usage_errors():
        check_objectives(texts or ())
    return texts


def _check_logs(folder: Path | None) -> Path | None:
    if folder is not None:
        check_folder(folder, "the logs")
    return folder


def check_positive(value: float) -> float:
    """A number that is neither zero nor infinite."""
    if not 0 < value < math.inf:
        raise typer.BadParameter(f"expected a positive number. Received: {value}.")
    return value


def check_losses(loss: str | None, objectives: Sequence[str] | None) -> None:
    """Raise an error for a loss that neither this package nor Keras has."""
    named = [] if loss is None else [loss]
    with usage_errors():
        for name in [*named, *(parse_objective(text).loss for text in objectives or ())]:
            check_loss_name(name)


QUANTIZATIONS = tuple(option.value for option in QuantizationOption)

Files = Annotated[
    str | None,
    typer.Option(
        "--files",
        metavar="LIST",
        callback=_check_list(QUANTIZATIONS),
        help=f"The files to make, such as int8,float16. Default: {','.join(QUANTIZATIONS)}.",
    ),
]
Augment = Annotated[
    str | None,
    typer.Option(
        "--augment",
        metavar="LIST",
        callback=_check_list(AUGMENTATIONS),
        help=f"Random changes of training images: {','.join(AUGMENTATIONS)}.",
    ),
]
Loss = Annotated[
    str | None,
    typer.Option("--loss", metavar="NAME", help="A loss of kd.losses in place of the soft targets."),
]
Objectives = Annotated[
    list[str] | None,
    typer.Option(
        "--objective",
        metavar="LOSS:STUDENT:TEACHER",
        callback=_check_objectives,
        help="What else to learn from: a loss and two taps, such as mse:block2:block4 or 0.5*mse:a:b.",
    ),
]
EarlyStopping = Annotated[
    int | None,
    typer.Option(
        "--early-stopping",
        min=1,
        metavar="EPOCHS",
        help="Stop after so many epochs that were no better on validation, and keep the best one.",
    ),
]
TensorBoard = Annotated[
    Path | None,
    typer.Option(
        "--tensorboard", metavar="DIR", callback=_check_logs, help="Write logs for TensorBoard there."
    ),
]


def parse_student(student: Path | None, shrink: float | None) -> Path | float:
    """The student: a file, or the part of the teacher that it is.

    Raises:
        ValueError: Neither or both are given, or the part is none.
    """
    if (student is None) == (shrink is None):
        raise ValueError(
            "Give --student, a Keras model, or --shrink, such as 0.25, the part of the teacher's "
            "multiply-adds that is kept to make one."
        )
    if shrink is not None:
        check_fraction("--shrink", shrink)
    return student if student is not None else float(shrink or 0)
