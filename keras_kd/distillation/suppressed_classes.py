"""Classes that a teacher suppresses, by a logit of minus infinity, and objectives that cannot take it."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from keras_kd.distillation.objectives import Objective
from keras_kd.distillation.tapped import Tapped
from keras_kd.finite import nonfinite
from keras_kd.tensors import Tensor


class SuppressedClassError(ValueError):
    """An objective cannot take a teacher that suppresses classes."""


def suppressing_tap(teacher: Tapped) -> str | None:
    """The first tap whose values, or the logits behind them, contain minus infinity."""
    for tap, raw in teacher.raw.items():
        behind = teacher.logits[tap], (teacher.suppressing or {}).get(tap)
        if _suppresses(raw) or any(logits is not raw and _suppresses(logits) for logits in behind):
            return tap
    return None


def _suppresses(values: Tensor | None) -> bool:
    is_number = isinstance(values, tf.Tensor) and values.dtype.is_floating
    return is_number and bool(tf.reduce_any(tf.equal(values, -np.inf)))


def without_nan(student: Tapped) -> Tapped:
    """The signals of a student, with numbers in place of NaN: those of one that nothing has ruined."""

    def fill(values: Tensor) -> Tensor:
        if not (isinstance(values, tf.Tensor) and values.dtype.is_floating):
            return values
        # Not all the same, where a distance has no gradient.
        numbers = tf.random.stateless_normal(tf.shape(values), [0, 0], dtype=values.dtype)
        return tf.where(tf.math.is_finite(values) | tf.equal(values, -np.inf), values, numbers)

    return keras.tree.map_structure(fill, student)


def without_suppression(signals: Tapped) -> Tapped:
    """The signals of a model with logits of -9 in place of minus infinity."""

    def lift(values: Tensor) -> Tensor:
        if not _suppresses(values):
            return values
        return tf.where(tf.equal(values, -np.inf), tf.constant(-9, values.dtype), values)

    return keras.tree.map_structure(lift, signals)


def check_suppressed(
    objective: Objective,
    tap: str,
    student: Tapped,
    teacher: Tapped,
    compute: Callable[[Tapped, Tapped], Tensor],
    where: str = "the first batch",
) -> None:
    """Compute an objective, and the gradient of the student's signals, on a teacher that suppresses classes.

    Args:
        objective: The objective.
        tap: The teacher's tap that contains minus infinity.
        student: The student's signals.
        teacher: The teacher's.
        compute: Gives the value of the objective for both.
        where: Which batch this is, for the error.

    Raises:
        SuppressedClassError: The value or the gradient is NaN or infinite, and would be finite if no class
            were suppressed.
    """
    student = without_nan(student)
    value, is_finite = _try(objective, student, teacher, compute)
    if is_finite:
        return
    if not _try(objective, without_suppression(student), without_suppression(teacher), compute)[1]:
        return
    raise SuppressedClassError(
        f"Objective {objective.name!r} gives {value} on {where}, or a gradient that is not finite: the "
        f"teacher's {tap!r} contains minus infinity, which suppresses classes. Compare the outputs with "
        "kd.losses.SoftTargets(), let the student suppress the same classes, or make the teacher's logits "
        "finite: keras.ops.maximum(logits, -1e4)."
    )


def _try(
    objective: Objective, student: Tapped, teacher: Tapped, compute: Callable[[Tapped, Tapped], Tensor]
) -> tuple[float, bool]:
    """The value, and whether it and the gradient are finite."""
    signals = student.read_by(objective)
    with tf.GradientTape() as tape:
        tape.watch(signals)
        value = compute(student, teacher)
    gradients = [g for g in tape.gradient(value, signals).values() if g is not None]
    numbers = [nonfinite(tf.convert_to_tensor(number)).any() for number in (value, *gradients)]
    return float(value), not any(numbers)
