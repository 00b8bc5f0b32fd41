"""The arguments of an objective: taps, weight, and projections."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import keras

from keras_kd.losses import SignalLoss
from keras_kd.messages import did_you_mean
from keras_kd.signals.batches import comes_with_data
from keras_kd.tensors import Scheduled

Tap: TypeAlias = str | tuple[str, ...]
LossLike: TypeAlias = str | keras.losses.Loss | Callable[..., Any]
# What precomputed signals may hold, and the activation that made it.
TAUGHT: dict[str, str | None] = {"logits": None, "softmax": "softmax", "sigmoid": "sigmoid"}


def as_tuple(tap: Tap) -> tuple[str, ...]:
    """A tap or a tuple of them as a tuple."""
    return tap if isinstance(tap, tuple) else (tap,)


def check_tap(tap: object, argument: str) -> Tap:
    """A tap name or a tuple of them; a list becomes a tuple.

    Raises:
        TypeError: Anything else.
    """
    taps = tuple(tap) if isinstance(tap, (list, tuple)) else (tap,)
    if not taps or not all(isinstance(name, str) and name for name in taps):
        received = tuple(tap) if isinstance(tap, list) else tap
        raise TypeError(f"`{argument}` must be a tap name or a tuple of them. Received: {received!r}.")
    return tap if isinstance(tap, str) else taps


def check_student_taps(taps: Iterable[str]) -> None:
    """Raise a `ValueError` if a tap names the labels or inputs, which are signals to compare with."""
    of_data = [tap for tap in taps if comes_with_data(tap)]
    if of_data:
        raise ValueError(f"{of_data[0]!r} is not a signal of the student. Give it to `teacher`.")


def check_own_target(teacher: Sequence[str], from_student: bool) -> None:
    """Raise a `ValueError` for an objective of the student alone that reads no target of it."""
    if from_student and all(map(comes_with_data, teacher)):
        raise ValueError(
            f"from_student=True reads a tap of the student, and teacher={teacher[0]!r} comes with the data. "
            "Leave from_student out."
        )


def check_weight(weight: object) -> Scheduled:
    """A finite number of at least 0, as a float, or a function of the step.

    Raises:
        TypeError: Neither of the two.
        ValueError: A negative or infinite number, or NaN.
    """
    if callable(weight):
        return weight
    try:
        number = float(weight)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise TypeError(
            f"`weight` must be a number or a function of the step. Received: {weight!r}."
        ) from None
    if not 0 <= number < float("inf"):
        raise ValueError(f"`weight` must be a finite number of at least 0. Received: {weight!r}.")
    return number


def check_projections(project: object, project_teacher: object) -> None:
    """Raise a `TypeError` for projections that are not layers."""
    if not (project is None or isinstance(project, (bool, keras.layers.Layer))):
        raise TypeError(f"`project` must be None, True or a layer. Received: {project!r}.")
    if not (project_teacher is None or isinstance(project_teacher, keras.layers.Layer)):
        raise TypeError(f"`project_teacher` must be None or a layer. Received: {project_teacher!r}.")


def check_taught(taught: object) -> str | None:
    """What precomputed signals hold, or `None`.

    Raises:
        ValueError: Anything else.
    """
    if taught not in (None, *TAUGHT):
        raise ValueError(
            f"`taught` must be None or one of {', '.join(map(repr, TAUGHT))}. Received: {taught!r}."
            f"{did_you_mean(str(taught), TAUGHT)}"
        )
    return taught


def learned_layers(loss: SignalLoss) -> list[keras.layers.Layer]:
    """The layers that a loss, or one inside it, holds as arguments: what it learns."""
    found: list[keras.layers.Layer] = []
    for value in vars(loss).values():
        if isinstance(value, keras.layers.Layer):
            found.append(value)
        elif isinstance(value, SignalLoss):
            found += learned_layers(value)
    return found


def default_name(loss: SignalLoss, student: tuple[str, ...]) -> str:
    """The name of an objective: that of its loss, and of its taps unless they are the output."""
    taps = [tap for tap in student if tap != "output"]
    return "_".join([loss.name, *taps]).replace("/", "_").replace(":", "_")
