"""What all losses share: one value per sample, and shapes that meet."""

from typing import Any

import keras
from keras import ops


def mean_per_sample(values: Any) -> Any:
    """Average every axis but the first: `(batch, ...)` to `(batch,)`."""
    return ops.mean(values, axis=tuple(range(1, len(values.shape)))) if len(values.shape) > 1 else values


def require_same_shape(loss: keras.losses.Loss, teacher: Any, student: Any) -> None:
    """Raise unless both signals have one shape (unknown axes pass); Keras itself would broadcast.

    Raises:
        ValueError: Ranks or axes differ.
    """
    t, s = tuple(teacher.shape)[1:], tuple(student.shape)[1:]
    if len(t) != len(s) or any(a != b for a, b in zip(t, s, strict=True) if a is not None and b is not None):
        raise ValueError(
            f"{loss.name!r} needs a teacher and a student signal of one shape. "
            f"Received: teacher {tuple(teacher.shape)}, student {tuple(student.shape)}."
        )
