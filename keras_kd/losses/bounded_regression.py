"""A loss for regression that uses the teacher's error as a bound for the student's."""

from typing import Any

import keras
from keras import ops

from keras_kd.losses.arguments import check_not_negative
from keras_kd.losses.inputs import Mask, PositionWeight
from keras_kd.losses.loss import SignalLoss
from keras_kd.losses.samples import mean_per_sample, require_same_shape
from keras_kd.tensors import Tensor


@keras.saving.register_keras_serializable("keras_kd")
class BoundedRegression(SignalLoss):
    """Squared error of a regression, only where the student does worse than the teacher.

    The teacher is a bound rather than a target: the student is pulled toward the label until its error
    is below the teacher's by the margin, and no further. Each vector (last axis) is judged as a whole.

    Formula: `||s - y||^2` where `||s - y||^2 + margin > ||t - y||^2`, else 0.

    Reads: outputs and labels, `kd.Objective(kd.losses.BoundedRegression(), teacher=("output",
    "labels"), weight=0.5)`.

    Defaults: margin 0, which is not taken from the paper. The paper adds this term, with a weight, to
    a smooth L1 loss on the labels.

    Equals: the paper's `L_b`: summed over the vector, averaged over positions and the batch. To
    compare it with a mean squared error, divide by the length of the vector.

    Source: Chen et al. 2017, "Learning Efficient Object Detection Models with Knowledge
    Distillation", NeurIPS 2017.

    Args:
        margin: By how much the student's squared error must be below the teacher's, at least 0.

    Shapes:
        teacher: values `(batch, ..., size)`, and labels of the same shape. Values may be `(batch,)`,
        and labels may lack a last axis of size 1, or have an extra one.
        student: values of the teacher's shape. Result: `(batch,)`.

    Raises:
        ValueError: Missing labels, or shapes that do not match.

    Examples:
        >>> import numpy as np
        >>> import keras_kd as kd
        >>> teacher, labels = np.array([[1.0], [1.0]]), np.array([0.0, 0.0])
        >>> loss = kd.losses.BoundedRegression(reduction=None)
        >>> [float(value) for value in loss((teacher, labels), np.array([[2.0], [0.5]]))]
        [4.0, 0.0]
    """

    reads_labels = True
    teacher_signals = (2, 2)
    reads = (
        'the teacher\'s values and the labels, teacher=("output", "labels") in an objective, and the '
        "student's values"
    )

    def __init__(self, margin: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.margin = check_not_negative("margin", margin)

    def call(
        self,
        teacher: tuple[Tensor, ...],
        student: Tensor,
        mask: Mask = None,
        position_weight: PositionWeight = None,
    ) -> Tensor:
        values, labels = (ops.stop_gradient(part) for part in teacher)
        require_same_shape(self, values, student)
        labels = _match_labels(ops.cast(labels, student.dtype), student)
        of_teacher, of_student = _squared_error(values, labels), _squared_error(student, labels)
        worse = of_student + self.margin > of_teacher
        return mean_per_sample(ops.where(worse, of_student, 0.0), mask, position_weight)


def _match_labels(labels: Tensor, student: Tensor) -> Tensor:
    """Labels in the student's shape: data and models often differ by a last axis of size 1."""
    missing = len(student.shape) - len(labels.shape)
    if missing == 1 and student.shape[-1] == 1:
        labels = ops.expand_dims(labels, -1)
    elif missing == -1 and labels.shape[-1] == 1:
        labels = ops.squeeze(labels, axis=-1)
    pairs = zip(labels.shape, student.shape, strict=False)
    if len(labels.shape) != len(student.shape) or any(a != b for a, b in pairs if None not in (a, b)):
        raise ValueError(
            f"BoundedRegression needs labels of the outputs' shape, {tuple(student.shape)}. "
            f"Received labels {tuple(labels.shape)}."
        )
    return labels


def _squared_error(values: Tensor, labels: Tensor) -> Tensor:
    squares = ops.square(values - labels)
    return ops.sum(squares, axis=-1) if len(squares.shape) > 1 else squares
