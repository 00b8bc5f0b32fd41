"""A loss that compares both models' class distributions with a mixture of the two."""

from typing import Any

import keras
from keras import ops

from keras_kd.losses.arguments import check_not_negative, check_positive_or_schedule
from keras_kd.losses.classes import require_logits
from keras_kd.losses.divergences import jensen_shannon, kl_divergence
from keras_kd.losses.inputs import Mask, PositionWeight, Step
from keras_kd.losses.loss import SignalLoss
from keras_kd.losses.samples import mean_per_sample
from keras_kd.tensors import Scheduled, Tensor


@keras.saving.register_keras_serializable("keras_kd")
class JensenShannon(SignalLoss):
    """Generalized Jensen-Shannon divergence, between the forward and the reverse KL.

    `beta=0` is the forward `KL(p_t || p_s)`, which is mode-covering: the student covers everything that
    the teacher predicts. `beta=1` is the reverse `KL(p_s || p_t)`, which is mode-seeking: the student may
    leave out what it cannot match. In between, the value is bounded; at 0.5 it is symmetric and at most
    `T^2 log 2`.

    Formula: `T^2 * (beta KL(p_t || m) + (1 - beta) KL(p_s || m))` with `p = softmax(z / T)` and
    `m = beta p_t + (1 - beta) p_s`; at the ends, where this is 0, its slope in `beta` (`1 - beta`).

    Reads: the outputs.

    Defaults: beta 0.5 and temperature 1, TRL's: language models are distilled without softening.

    Equals: TRL's `generalized_jsd_loss` times `T^2`, which TRL leaves out. Given labels, TRL averages
    over all tokens of a batch; this averages over the tokens of each sample and then over samples.

    Source: Agarwal et al. 2024, "On-Policy Distillation of Language Models: Learning from
    Self-Generated Mistakes", arXiv 2306.13649.

    Args:
        beta: The teacher's weight in the mixture, from 0 to 1.
        temperature: `T > 0`, or a schedule of the training step.

    Shapes:
        teacher, student: `(batch, ..., classes)` logits, two or more classes. Result: `(batch,)`.

    Examples:
        >>> import numpy as np
        >>> import keras_kd as kd
        >>> teacher, student = np.array([[40.0, 0.0]]), np.array([[0.0, 40.0]])
        >>> round(float(kd.losses.JensenShannon()(teacher, student)), 4)
        0.6931
    """

    reads_logits = True

    def __init__(self, beta: float = 0.5, temperature: Scheduled = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.beta = check_not_negative("beta", beta)
        if self.beta > 1:
            raise ValueError(f"`beta` must be a number from 0 to 1. Received: {beta!r}.")
        self.temperature = check_positive_or_schedule("temperature", temperature)

    @property
    def takes_suppressed(self) -> bool:  # type: ignore[override]
        return self.beta < 1  # the reverse divergence is infinite where the student has probability

    def call(
        self,
        teacher: Tensor,
        student: Tensor,
        mask: Mask = None,
        position_weight: PositionWeight = None,
        step: Step = None,
    ) -> Tensor:
        require_logits(self, teacher, student)
        temperature = self.at(self.temperature, step)
        log_teacher = ops.log_softmax(ops.stop_gradient(teacher) / temperature)
        log_student = ops.log_softmax(student / temperature)
        if self.beta in (0, 1):
            pair = (log_student, log_teacher) if self.beta else (log_teacher, log_student)
            values = kl_divergence(*pair)
        else:
            values = jensen_shannon(log_teacher, log_student, self.beta)
        return temperature**2 * mean_per_sample(values, mask, position_weight)
