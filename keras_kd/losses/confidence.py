"""A loss that ignores samples on which the teacher is wrong or uncertain."""

from typing import Any

import keras
from keras import ops

from keras_kd.losses.arguments import check_not_negative
from keras_kd.losses.classes import require_classes, split_labels
from keras_kd.losses.identifiers import LossIdentifier, get
from keras_kd.losses.inputs import Mask, PositionWeight, Signal, Step, parts_of
from keras_kd.losses.loss import SignalLoss, call_with_accepted
from keras_kd.losses.samples import keep, require_same_shape
from keras_kd.tensors import Tensor


@keras.saving.register_keras_serializable("keras_kd")
class ConfidenceFiltered(SignalLoss):
    """Another loss, without the samples on which the teacher is wrong or uncertain.

    With labels, it drops samples that the teacher gets wrong and samples without a label; with a
    threshold, samples whose top class gets too low a probability from the teacher. Tokens and pixels are
    dropped individually, like padding. A dropped sample has the value 0, as with a sample weight of
    0; in a loss that compares samples with each other, it is still part of the rows of the others.

    Formula: `loss(t, s)` where `max softmax(z_t) >= threshold` and `argmax z_t = y`, else 0.

    Reads: the outputs, and optionally the labels:
    `kd.Objective(kd.losses.ConfidenceFiltered("soft_targets"), teacher=("output", "labels"))`, or
    `teacher="output"` with a threshold.

    Defaults: soft targets and no threshold. FixMatch keeps predictions of 0.95 and above.

    Equals: the inner loss on the samples kept, times their fraction of the batch, for a loss that treats
    each sample independently.

    Source: for the threshold, Sohn et al. 2020, "FixMatch: Simplifying Semi-Supervised Learning with
    Consistency and Confidence", arXiv 2001.07685. On wrong teachers, Wen, Lai, Qian 2019, "Preparing
    Lessons: Improve Knowledge Distillation with Better Supervision", arXiv 1911.07471, who correct
    the teacher's predictions where this loss drops them.

    Args:
        loss: A loss that reads logits, or its name. If it reads labels, it gets them.
        threshold: Minimum probability of the teacher's top class, without temperature, at least 0 and
            below 1.
        **kwargs: As for any loss. `reduction` and `dtype` default to those of the inner loss.

    Shapes:
        teacher: logits `(batch, ..., classes)`, or a tuple of them and labels, as for `DecoupledKD`.
        student: logits of the teacher's shape. Result: `(batch,)`.

    Raises:
        ValueError: An inner loss that does not read logits; neither labels nor a threshold; logits with
            positions and an inner loss that takes no mask.

    Examples:
        >>> import numpy as np
        >>> import keras_kd as kd
        >>> teacher, student = np.array([[4.0, 0.0], [0.0, 4.0]]), np.zeros((2, 2))
        >>> loss = kd.losses.ConfidenceFiltered(kd.losses.HardTargets(), reduction=None)
        >>> [round(float(value), 4) for value in loss((teacher, np.array([0, 0])), student)]
        [0.6931, 0.0]
    """

    reads_logits = True
    reads_labels = True
    teacher_signals = (1, 2)
    reads = (
        "the logits of both models, and the labels if the teacher is to be judged by them, "
        'teacher=("output", "labels") in an objective'
    )

    def __init__(self, loss: LossIdentifier = "soft_targets", threshold: float = 0.0, **kwargs: Any) -> None:
        self.loss, self.threshold = get(loss), check_not_negative("threshold", threshold)
        super().__init__(**{"reduction": self.loss.reduction, "dtype": self.loss.dtype, **kwargs})
        if not self.loss.reads_logits or "softmax" not in self.loss.undoes:
            raise ValueError(
                "ConfidenceFiltered judges a teacher by its softmax, so it takes a loss on such logits, for "
                f"example kd.losses.SoftTargets(). Received: {self.loss.name!r}."
            )
        if self.threshold >= 1:
            raise ValueError(f"`threshold` is a probability below 1. Received: {threshold!r}.")

    @property
    def takes_suppressed(self) -> bool:  # type: ignore[override]
        return self.loss.takes_suppressed

    @property
    def takes_mask(self) -> bool:
        return self.loss.takes_mask

    @property
    def takes_position_weight(self) -> bool:
        return self.loss.takes_position_weight

    def call(
        self,
        teacher: Signal,
        student: Tensor,
        mask: Mask = None,
        position_weight: PositionWeight = None,
        step: Step = None,
    ) -> Tensor:
        kept = keep(self._is_trusted(teacher, student), mask)
        has_positions = len(kept.shape) > 1
        if has_positions and not self.takes_mask:
            raise ValueError(
                f"{self.loss.name!r} cannot leave out single positions, and the logits have some: "
                f"{tuple(student.shape)}. Wrap a loss that takes a mask."
            )
        if not self.loss.reads_labels:
            teacher = parts_of(teacher)[0]
        self.loss.require_signals(teacher, student)
        inner_mask = kept if has_positions else None
        given = {"mask": inner_mask, "position_weight": position_weight, "step": step}
        values = call_with_accepted(self.loss.call, teacher, student, **given)
        return values if has_positions else ops.where(kept, values, 0.0)

    def _is_trusted(self, teacher: Signal, student: Tensor) -> Tensor:
        """Where the teacher is right (if there are labels) and confident: `(batch, ...positions)`."""
        if isinstance(teacher, (tuple, list)):
            logits, right, labelled = split_labels(self, (teacher[0], teacher[1]), student)
            is_right = ops.equal(ops.argmax(logits, axis=-1), ops.argmax(right, axis=-1))
            kept = ops.logical_and(labelled, is_right)
        else:
            logits = ops.stop_gradient(teacher)
            require_same_shape(self, logits, student)
            require_classes(self, student)
            if not self.threshold:
                raise ValueError(
                    "ConfidenceFiltered has nothing to judge the teacher by. Pass a threshold, or labels: "
                    'an objective with teacher=("output", "labels").'
                )
            kept = ops.ones_like(logits[..., 0], dtype="bool")
        if not self.threshold:
            return kept
        return ops.logical_and(kept, ops.max(ops.softmax(logits), axis=-1) >= self.threshold)
