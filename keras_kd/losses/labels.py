"""Losses that also read the labels: the target class and the other classes are compared separately.

The teacher's signal is a tuple, `Objective(..., teacher=("output", "labels"))`. A position without a
valid class, such as the -1 or 255 of unlabeled pixels, is ignored: it is excluded from the mean of
its sample, and a sample without any labeled position has the value 0.
"""

from typing import Any

import keras
from keras import ops

from keras_kd.losses.arguments import check_not_negative, check_positive_or_schedule
from keras_kd.losses.classes import (
    LOGITS_AND_LABELS,
    LabelledLogits,
    decouple,
    labelled_mean,
    split_labels,
    take_at_label,
)
from keras_kd.losses.divergences import binary_kl, expected_log, kl_divergence
from keras_kd.losses.inputs import Mask, PositionWeight, Step
from keras_kd.losses.loss import SignalLoss
from keras_kd.tensors import Scheduled, Tensor


@keras.saving.register_keras_serializable("keras_kd")
class DecoupledKD(SignalLoss):
    """Hinton's divergence in two parts, weighted separately: the target class, and the other classes.

    The first part compares "target class or not", the second the distributions over the other
    classes. In Hinton's loss, the second has the weight `1 - p_t[y]`, which is near 0 for a confident
    teacher.

    Formula: `T^2 * (alpha KL(b_t || b_s) + beta KL(r_t || r_s))` with `p = softmax(z / T)`,
    `b = [p[y], 1 - p[y]]`, and `r` the softmax of `z / T` over the classes other than `y`.

    Reads: the outputs and the labels, `kd.Objective(kd.losses.DecoupledKD(), teacher=("output",
    "labels"))`.

    Defaults: alpha 1, beta 8, temperature 4, as in mdistiller (the authors' code) for CIFAR-100, with
    a weight that rises to 1 over 20 epochs. It uses beta 2 for the teachers ResNet56 and ResNet110, 6 for
    VGG13 and between wide ResNets; for ImageNet, temperature 1 and beta 0.5 or 2.

    Equals: mdistiller's `dkd_loss`: summed over classes, averaged over the batch, times `T^2`.

    Source: Zhao et al. 2022, "Decoupled Knowledge Distillation", arXiv 2203.08679.

    Args:
        alpha: Weight of the target class.
        beta: Weight of the other classes.
        temperature: `T > 0`, or a schedule of the training step.

    Shapes:
        teacher: logits `(batch, ..., classes)`, and labels: integers `(batch, ...)` or
        `(batch, ..., 1)`, or one-hot or soft labels of the logits' shape, whose largest entry counts.
        student: logits of the teacher's shape. Result: `(batch,)`.

    Raises:
        ValueError: Missing labels, or shapes that do not match.

    Examples:
        >>> import numpy as np
        >>> import keras_kd as kd
        >>> teacher, student = np.array([[4.0, 1.0, 0.0]]), np.array([[4.0, 0.0, 1.0]])
        >>> round(float(kd.losses.DecoupledKD()((teacher, np.array([0])), student)), 4)
        3.9793
    """

    reads_logits = True
    takes_suppressed = True
    reads_labels = True
    teacher_signals = (2, 2)
    reads = LOGITS_AND_LABELS

    def __init__(
        self, alpha: float = 1.0, beta: float = 8.0, temperature: Scheduled = 4.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.alpha, self.beta = check_not_negative("alpha", alpha), check_not_negative("beta", beta)
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
        right_t, others_t = decouple(logits / temperature, right)
        right_s, others_s = decouple(student / temperature, right)
        # A teacher that suppresses all other classes says nothing about them.
        others = ops.where(right_t < 1e29, kl_divergence(others_t, others_s), 0.0)
        values = self.alpha * binary_kl(right_t, right_s) + self.beta * others
        return temperature**2 * labelled_mean(values, labelled, mask, position_weight)


@keras.saving.register_keras_serializable("keras_kd")
class NormalizedKD(SignalLoss):
    """Cross-entropy on the target class, weighted by the teacher, and on the other classes, normalized.

    The distributions over the other classes each sum to 1, so the student can match the teacher's.
    Both parts are cross-entropies: the value is not 0 for a student that equals the teacher.

    Formula: `-p_t[y] log p_s[y] - gamma T^2 sum_{k != y} r_t log r_s` with `p = softmax(z)` and `r`
    the softmax of `z / T` over the classes other than `y`. The first part has no temperature.

    Reads: the outputs and the labels, `kd.Objective(kd.losses.NormalizedKD(), teacher=("output",
    "labels"))`.

    Defaults: gamma 1.5 and temperature 1, the authors' for convolutional models on ImageNet, added to
    the hard loss. They use gamma 1 for DeiT, and gamma 3.5 and temperature 3 for CIFAR-100.

    Equals: `NKDLoss` of cls_KD, the authors' code: summed over classes, averaged over the batch.

    Source: Yang et al. 2023, "From Knowledge Distillation to Self-Knowledge Distillation: A Unified
    Approach with Normalized Loss and Customized Soft Labels", arXiv 2303.13005.

    Args:
        gamma: Weight of the other classes.
        temperature: `T > 0` for the other classes, or a schedule of the training step.

    Shapes:
        teacher: logits `(batch, ..., classes)` and labels, as for `DecoupledKD`.
        student: logits of the teacher's shape. Result: `(batch,)`.

    Raises:
        ValueError: Missing labels, or shapes that do not match.

    Examples:
        >>> import numpy as np
        >>> import keras_kd as kd
        >>> teacher, student = np.array([[4.0, 0.0, 0.0]]), np.array([[0.0, 0.0, 0.0]])
        >>> round(float(kd.losses.NormalizedKD()((teacher, np.array([0])), student)), 4)
        2.0995
    """

    reads_logits = True
    takes_suppressed = True
    reads_labels = True
    teacher_signals = (2, 2)
    reads = LOGITS_AND_LABELS

    def __init__(self, gamma: float = 1.5, temperature: Scheduled = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.gamma = check_not_negative("gamma", gamma)
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
        log_t = take_at_label(ops.log_softmax(logits), right)
        log_s = take_at_label(ops.log_softmax(student), right)
        _, others_t = decouple(logits / temperature, right)
        _, others_s = decouple(student / temperature, right)
        others = ops.sum(expected_log(ops.exp(others_t), others_s), axis=-1)
        values = -expected_log(ops.exp(log_t), log_s) - self.gamma * temperature**2 * others
        return labelled_mean(values, labelled, mask, position_weight)
