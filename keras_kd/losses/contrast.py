"""A contrastive loss: the student's feature of a sample against the teacher's features of all samples."""

from typing import Any

import keras
from keras import ops

from keras_kd.losses.arguments import check_positive_or_schedule
from keras_kd.losses.classes import have_other_labels, label_per_sample
from keras_kd.losses.inputs import Signal, Step, parts_of
from keras_kd.losses.loss import SignalLoss
from keras_kd.losses.samples import flatten, l2_normalize
from keras_kd.tensors import Scheduled, Tensor

# Not -inf, whose gradient is NaN where all but one are excluded; its exp is 0 all the same.
_LEFT_OUT = -1e30


@keras.saving.register_keras_serializable("keras_kd")
class ContrastiveRepresentation(SignalLoss):
    """The student must recognize its sample among the teacher's features of other samples (CRD).

    Negatives are the rest of the batch; with labels, only samples with other labels; or the rows of a
    memory bank. A sample without a label (-1 or an all-zero one-hot row) has a different label from all
    others. The value is 0 where there are no negatives, and rarely 0 when student and teacher agree,
    because the teacher's features of two samples may be similar.

    Formula: `-log(exp(s.t / T) / (exp(s.t / T) + sum_n exp(s.n / T)))` with unit-length features,
    `t` the teacher's feature of the same sample and `n` the negatives.

    Reads: one vector each, of the same width: `project=True` or a two-layer head. With labels,
    `kd.Objective("contrastive_representation", student="pool", teacher=("pool", "labels"),
    project=True)`; with a bank, `teacher=("pool", "input/index")` and
    `project_teacher=kd.projections.MemoryBank(...)`, optionally with `"labels"` as a third tap.

    Defaults: `temperature=0.07`, as in the authors' code, which gives its version weight 0.8.

    Equals: InfoNCE, averaged over the batch. The authors' code scores each negative independently
    (noise-contrastive estimation, with constants estimated on the first batch), draws 16384 of them
    from two banks, one for the student and one for the teacher, and also trains a head on the teacher;
    its value is the sum over those negatives and is not comparable.

    Source: Tian, Krishnan, Isola 2020, "Contrastive Representation Distillation", arXiv 1910.10699.

    Args:
        temperature: `T > 0`, or a schedule of the training step.

    Shapes:
        teacher: `(batch, ...)`, the features; or a tuple of these and the labels, integers
        `(batch,)` or one-hot `(batch, classes)`; or a tuple of the features, a bank `(rows, width)` and
        a mask of the rows that are negatives, `(batch, rows)`.
        student: `(batch, ...)`, as wide as the teacher's when flattened. Result: `(batch,)`.

    Raises:
        ValueError: Widths that differ, or labels of another shape.

    Examples:
        >>> import numpy as np
        >>> import keras_kd as kd
        >>> teacher, student = np.eye(2), 3.0 * np.eye(2)
        >>> round(float(kd.losses.ContrastiveRepresentation(temperature=1.0)(teacher, student)), 4)
        0.3133
        >>> labels = np.array([5, 5])
        >>> float(kd.losses.ContrastiveRepresentation()((teacher, labels), student))
        0.0
    """

    reads_labels = True
    teacher_signals = (1, 3)
    reads = (
        'a feature of each model; of the teacher optionally the labels too, teacher=("pool", "labels") in an '
        "objective, or the three signals that a kd.projections.MemoryBank gives"
    )

    def __init__(self, temperature: Scheduled = 0.07, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.temperature = check_positive_or_schedule("temperature", temperature)

    def call(self, teacher: Signal, student: Tensor, step: Step = None) -> Tensor:
        features, *others = parts_of(teacher)
        features, student = flatten(ops.stop_gradient(features)), flatten(student)
        _require_width(features, student)
        temperature = self.at(self.temperature, step)
        positives, scaled = l2_normalize(features), l2_normalize(student) / temperature
        same = ops.sum(scaled * positives, axis=-1, keepdims=True)
        if len(others) < 2:
            rows, negative = positives, _other_samples(student, *others)
        else:
            rows, negative = others
            _require_bank(student, rows, negative)
            rows = l2_normalize(ops.stop_gradient(rows))
        logits = ops.matmul(scaled, ops.transpose(rows))
        logits = ops.where(ops.cast(negative, "bool"), logits, ops.cast(_LEFT_OUT, logits.dtype))
        return -ops.log_softmax(ops.concatenate([same, logits], axis=-1))[:, 0]


def _other_samples(student: Tensor, labels: Tensor | None = None) -> Tensor:
    samples = ops.arange(ops.shape(student)[0])
    others = ops.not_equal(ops.expand_dims(samples, 0), ops.expand_dims(samples, 1))
    if labels is None:
        return others
    if len(labels.shape) not in (1, 2):
        raise ValueError(
            "ContrastiveRepresentation reads one label per sample: integers (batch,), or one-hot (batch, "
            f"classes). Received the shape {tuple(labels.shape)}."
        )
    labels = label_per_sample(labels)
    return ops.logical_and(others, have_other_labels(labels, labels))


def _require_width(features: Tensor, student: Tensor) -> None:
    t, s = features.shape[-1], student.shape[-1]
    if t is not None and s is not None and t != s:
        raise ValueError(
            "ContrastiveRepresentation compares the student's features with the teacher's, so they need the "
            f"same width. Received: teacher {tuple(features.shape)}, student {tuple(student.shape)}. Pass "
            "project=True to the objective, or kd.projections.Regressor()."
        )


def _require_bank(student: Tensor, bank: Tensor, negative: Tensor) -> None:
    fits = len(bank.shape) == 2 and len(negative.shape) == 2
    fits = fits and bank.shape[1] in (None, student.shape[-1])
    if not fits or (None not in (bank.shape[0], negative.shape[1]) and bank.shape[0] != negative.shape[1]):
        raise ValueError(
            "ContrastiveRepresentation reads a bank (rows, width) and which rows are negatives, (batch, "
            f"rows). Received: bank {tuple(bank.shape)}, negatives {tuple(negative.shape)}, student "
            f"{tuple(student.shape)}. kd.projections.MemoryBank gives both."
        )
