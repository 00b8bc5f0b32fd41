"""What losses over classes share: validation of logits, and labels in every format."""

from typing import TypeAlias

from keras import ops

from keras_kd.losses.inputs import Mask, PositionWeight
from keras_kd.losses.loss import SignalLoss
from keras_kd.losses.samples import keep, mean_per_sample, require_same_shape, weigh
from keras_kd.tensors import Number, Tensor

# The logits of the teacher, and the labels.
LabelledLogits: TypeAlias = tuple[Tensor, Tensor]
_NOTHING = -1e30
LOGITS_AND_LABELS = (
    'the teacher\'s logits and the labels, teacher=("output", "labels") in an objective, and the student\'s '
    "logits"
)


def require_classes(loss: SignalLoss, logits: Tensor, at_least: int = 2) -> None:
    """Reject signals without a class axis, and those with a single unit, whose softmax is always 1."""
    if len(logits.shape) < 2:
        raise ValueError(
            f"{type(loss).__name__} reads logits (batch, ..., classes). "
            f"Received the shape {tuple(logits.shape)}."
        )
    if logits.shape[-1] is not None and logits.shape[-1] < at_least:
        raise ValueError(
            f"{type(loss).__name__} compares distributions over two or more classes, and the outputs have "
            "1 unit. Give both models two output units, or use kd.losses.BinarySoftTargets()."
        )


def split_labels(loss: SignalLoss, teacher: LabelledLogits, student: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Separate `(logits, labels)`, and check that their shapes match.

    Returns:
        The teacher's logits, without a gradient; a boolean tensor of their shape, true at the correct
        class; and a boolean tensor without the class axis, false where there is no valid label.

    Raises:
        ValueError: Shapes that do not match.
    """
    logits = ops.stop_gradient(teacher[0])
    require_same_shape(loss, logits, student)
    require_classes(loss, student)
    labels = ops.cast(_per_row(loss, ops.stop_gradient(teacher[1]), logits), "int32")
    classes = ops.arange(logits.shape[-1], dtype="int32")
    labelled = ops.logical_and(labels >= 0, labels < logits.shape[-1])
    return logits, ops.equal(ops.expand_dims(labels, -1), classes), labelled


def integer_labels(labels: Tensor, one_hot: bool) -> Tensor:
    """Integer labels, from integers or from one-hot labels on the last axis; negative if there is none."""
    labels = ops.cast(labels, "int32") if ops.dtype(labels) == "bool" else labels
    if not one_hot:
        return labels
    # tf.one_hot turns an invalid label into a row of zeros, which has no largest entry.
    return ops.where(ops.max(labels, axis=-1) > 0, ops.argmax(labels, axis=-1), -1)


def label_per_sample(labels: Tensor) -> Tensor:
    """Labels `(batch,)`, `(batch, 1)` or one-hot `(batch, classes)` as `(batch,)`; negative for none."""
    if len(labels.shape) == 2 and labels.shape[-1] == 1:
        labels = ops.squeeze(labels, axis=-1)
    return integer_labels(labels, one_hot=len(labels.shape) == 2)


def have_other_labels(labels: Tensor, others: Tensor) -> Tensor:
    """Where labels differ from others, `(labels, others)`; a missing label differs from all of them."""
    labels = ops.expand_dims(labels, 1)
    return ops.logical_or(labels < 0, ops.not_equal(labels, ops.expand_dims(others, 0)))


def _per_row(loss: SignalLoss, labels: Tensor, logits: Tensor) -> Tensor:
    """Integer labels `(batch, ...)`, negative where there is none."""
    shape, expected = tuple(labels.shape), tuple(logits.shape)
    if len(shape) == len(expected) and shape[-1] == expected[-1]:
        integers = integer_labels(labels, one_hot=True)
    else:
        squeezed = len(shape) == len(expected) and shape[-1] == 1
        integers = integer_labels(ops.squeeze(labels, axis=-1) if squeezed else labels, one_hot=False)
    pairs = zip(integers.shape, expected[:-1], strict=False)
    if len(integers.shape) != len(expected) - 1 or any(a != b for a, b in pairs if None not in (a, b)):
        raise ValueError(
            f"{type(loss).__name__} needs one label for each row of logits: integers of the shape "
            f"{expected[:-1]}, or one-hot labels of the shape {expected}. Received labels {shape}."
        )
    return integers


def require_logits(loss: SignalLoss, teacher: Tensor, student: Tensor) -> None:
    """Raise a `ValueError` unless both are logits of the same shape, with two or more classes."""
    require_same_shape(loss, teacher, student)
    require_classes(loss, student)


def soften(loss: SignalLoss, teacher: Tensor, student: Tensor, temperature: Number) -> tuple[Tensor, Tensor]:
    """The probabilities of both models, `softmax(z / T)`; the teacher's without a gradient."""
    require_logits(loss, teacher, student)
    return ops.softmax(ops.stop_gradient(teacher) / temperature), ops.softmax(student / temperature)


def labelled_mean(
    values: Tensor, labelled: Tensor, mask: Mask = None, position_weight: PositionWeight = None
) -> Tensor:
    """Average `(batch, ...positions)` to `(batch,)` over the positions with a label that are not masked."""
    labelled, values = keep(labelled, mask), weigh(values, position_weight)
    return mean_per_sample(values, labelled) if len(values.shape) > 1 else ops.where(labelled, values, 0.0)


def take_at_label(values: Tensor, right: Tensor) -> Tensor:
    """The entry of each row where `right` is true."""
    return ops.sum(ops.where(right, values, 0.0), axis=-1)


def decouple(logits: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
    """The logit of "target class or not", and the log-softmax over the other classes, 0 at the target.

    Where all other classes are suppressed, the former is about 1e30, and the latter is minus infinity.
    """
    # Not minus infinity: `logsumexp` would have no gradient where it has nothing to add up.
    others = ops.where(right, _NOTHING, ops.maximum(logits, _NOTHING))
    others = ops.logsumexp(others, axis=-1, keepdims=True)
    return take_at_label(logits - others, right), ops.where(right, 0.0, logits - others)
