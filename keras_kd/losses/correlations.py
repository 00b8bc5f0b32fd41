"""A loss that reads how outputs correlate: over classes, and over the samples of a batch.

Positions (pixels, tokens) count as samples where a class is correlated over the batch, and padded ones
are ignored. A value that exists only for the whole batch is spread evenly over its samples, so that the
mean over the batch is the published value.
"""

from typing import Any

import keras
from keras import ops

from keras_kd.losses.arguments import check_not_negative, check_positive_or_schedule
from keras_kd.losses.classes import soften
from keras_kd.losses.divergences import pearson
from keras_kd.losses.inputs import Mask, Step
from keras_kd.losses.loss import SignalLoss
from keras_kd.losses.samples import keep, mean_per_sample, spread_over_batch
from keras_kd.tensors import Scheduled, Tensor


@keras.saving.register_keras_serializable("keras_kd")
class DIST(SignalLoss):
    """Pearson correlation of the probabilities: within each sample, and of each class over the batch.

    A positive affine map of a row of probabilities changes nothing, so the student need not match
    the teacher's confidence. A row or class without variance has correlation 0 and no gradient.

    Formula: `T^2 (beta (1 - mean_i r(p_t[i], p_s[i])) + gamma (1 - mean_k r(p_t[:, k], p_s[:, k])))`
    with `p = softmax(z / T)` and `r` Pearson's correlation, with `1e-8` added to its denominator: a class
    whose probability varies by less than 1e-4 over the batch counts as uncorrelated.

    Reads: the outputs.

    Defaults: beta 1, gamma 1, temperature 1, as in the authors' code for ImageNet, which adds the term
    to the hard loss with weight 2. They use temperature 4 for CIFAR-100, weight 1 for segmentation.

    Equals: the authors' `DIST` and mmrazor's `DISTLoss`, which also multiply by `T^2`. The authors' code
    for segmentation has no temperature, which means `T = 1`. Positions count as samples, as they do there.

    Source: Huang et al. 2022, "Knowledge Distillation from A Stronger Teacher", arXiv 2205.10536.

    Args:
        beta: Weight of the correlation within samples.
        gamma: Weight of the correlation of each class over the batch, which a batch of one does not have.
        temperature: `T > 0`, or a schedule of the training step.

    Shapes:
        teacher, student: `(batch, ..., classes)` logits, two or more classes. Result: `(batch,)`.

    Examples:
        >>> import numpy as np
        >>> import keras_kd as kd
        >>> teacher, student = np.array([[4.0, 0.0], [0.0, 4.0]]), np.array([[1.0, 0.0], [0.0, 1.0]])
        >>> round(float(kd.losses.DIST()(teacher, student)), 4)
        0.0
    """

    reads_logits = True
    takes_suppressed = True

    def __init__(
        self, beta: float = 1.0, gamma: float = 1.0, temperature: Scheduled = 1.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.beta, self.gamma = check_not_negative("beta", beta), check_not_negative("gamma", gamma)
        self.temperature = check_positive_or_schedule("temperature", temperature)

    def call(self, teacher: Tensor, student: Tensor, mask: Mask = None, step: Step = None) -> Tensor:
        temperature = self.at(self.temperature, step)
        p_t, p_s = soften(self, teacher, student, temperature)
        within = mean_per_sample(1 - pearson(p_t, p_s, axis=-1), mask)
        kept = keep(ops.ones_like(p_s[..., :1]), mask)
        across = 1 - ops.mean(pearson(p_t, p_s, kept, axis=tuple(range(len(p_s.shape) - 1))))
        return temperature**2 * (self.beta * within + self.gamma * spread_over_batch(across, student, mask))
