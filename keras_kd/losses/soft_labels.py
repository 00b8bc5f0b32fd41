"""A loss that weights the teacher's soft labels by how far the student is behind the teacher."""

from typing import Any

import keras
from keras import ops

from keras_kd.losses.arguments import check_positive_or_schedule
from keras_kd.losses.classes import (
    LOGITS_AND_LABELS,
    LabelledLogits,
    labelled_mean,
    split_labels,
    take_at_label,
)
from keras_kd.losses.divergences import expected_log
from keras_kd.losses.inputs import Mask, PositionWeight, Step
from keras_kd.losses.loss import SignalLoss
from keras_kd.tensors import Scheduled, Tensor


@keras.saving.register_keras_serializable("keras_kd")
class WeightedSoftLabels(SignalLoss):
    """Soft targets, each sample weighted by how far the student is behind the teacher on its label.

    The weight is between 0 and 1 and has no gradient: near 0 where the student's cross-entropy on
    the label is far below the teacher's, 0.63 where the two are equal.

    Formula: `T^2 (1 - exp(-CE_s / (CE_t + 1e-7))) * -sum_k p_t log p_s` with `p = softmax(z / T)` and
    `CE = -log softmax(z)[y]`, without a temperature.

    Reads: the outputs and the labels, `kd.Objective(kd.losses.WeightedSoftLabels(),
    teacher=("output", "labels"), weight=2.5)`.

    Defaults: temperature 2, the authors' for ImageNet, with weight 2.5. For CIFAR-100, cls_KD uses
    temperature 4 and weight 2.25.

    Equals: mmrazor's `WSLD` and the soft loss of the authors' code: summed over classes, averaged over
    the batch, times `T^2`.

    Source: Zhou et al. 2021, "Rethinking Soft Labels for Knowledge Distillation: A Bias-Variance
    Tradeoff Perspective", arXiv 2102.00650.

    Args:
        temperature: `T > 0`, or a schedule of the training step.

    Shapes:
        teacher: logits `(batch, ..., classes)` and labels, as for `DecoupledKD`.
        student: logits of the teacher's shape. Result: `(batch,)`.

    Raises:
        ValueError: Missing labels, or shapes that do not match.

    Examples:
        >>> import numpy as np
        >>> import keras_kd as kd
        >>> teacher, student = np.array([[4.0, 0.0]]), np.array([[0.0, 0.0]])
        >>> round(float(kd.losses.WeightedSoftLabels()((teacher, np.array([0])), student)), 4)
        2.7726
    """

    reads_logits = True
    takes_suppressed = True
    reads_labels = True
    teacher_signals = (2, 2)
    reads = LOGITS_AND_LABELS

    def __init__(self, temperature: Scheduled = 2.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.temperature = check_positive_or_schedule("temperature", temperature)

    def call(
        self,
        teacher: LabelledLogits,
        student: Tensor,
        mask: Mask = None,
        position_weight: PositionWeight = None,
        step: Step = None,
    ) -> Tensor:
        logits, right, labelled = split_labels(self, teacher, student)
        temperature = self.at(self.temperature, step)
        of_teacher = -take_at_label(ops.log_softmax(logits), right)
        of_student = -take_at_label(ops.log_softmax(ops.stop_gradient(student)), right)
        weight = -ops.expm1(-of_student / (of_teacher + 1e-7))
        soft = expected_log(ops.softmax(logits / temperature), ops.log_softmax(student / temperature))
        return temperature**2 * labelled_mean(
            -weight * ops.sum(soft, axis=-1), labelled, mask, position_weight
        )
