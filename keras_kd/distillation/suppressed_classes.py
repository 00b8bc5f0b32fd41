"""Classes that a teacher suppresses, by a logit of minus infinity, and objectives that cannot take it."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from keras_kd.distillation.objectives import Objective
from keras_kd.distillation.tapped import Tapped
from keras_kd.finite import nonfinite
from keras_kd.tensors import Tensor


def suppressing_tap(teacher: Tapped) -> str | None:
    """The first tap whose values, or the logits behind them, contain minus infinity."""
    for tap, raw in teacher.raw.items():
        if _suppresses(raw) or (teacher.logits[tap] is not raw and _suppresses(teacher.logits[tap])):
            return tap
    return None


def _suppresses(values: Tensor) -> bool:
    is_number = isinstance(values, tf.Tensor) and values.dtype.is_floating
    return is_number and bool(tf.reduce_any(tf.equal(values, -np.inf)))


def check_suppressed(objective: Objective, tap: str, student: Tapped, compute: Callable[[], Tensor]) -> None:
    """Compute an objective, and the gradient of the student's signals, on a teacher that suppresses classes.

    Args:
        objective: The objective.
        tap: The teacher's tap that contains minus infinity.
        student: The student's signals.
        compute: Gives the value of the objective.

    Raises:
        ValueError: The value or the gradient is NaN or infinite.
    """
    signals = student.read_by(objective)
    with tf.GradientTape() as tape:
        tape.watch(signals)
        value = compute()
    gradients = [g for g in tape.gradient(value, signals).values() if g is not None]
    if not any(nonfinite(tf.convert_to_tensor(number)).any() for number in (value, *gradients)):
        return
    raise ValueError(
        f"Objective {objective.name!r} gives {float(value)} on the first batch, or a gradient that is not "
        f"finite: the teacher's {tap!r} contains minus infinity, which suppresses classes. Compare the "
        "outputs with kd.losses.SoftTargets(), let the student suppress the same classes, or make the "
        "teacher's logits finite: keras.ops.maximum(logits, -1e4)."
    )
