"""Losses that read the batch: how samples relate to one another.

The value of a sample is its row of the pairwise matrix. The row of a sample with weight zero does not
count, but the sample is still part of the rows of the others.
"""

import keras
from keras import ops

from keras_kd.losses.divergences import kl_divergence
from keras_kd.losses.inputs import Mask
from keras_kd.losses.loss import SignalLoss
from keras_kd.losses.samples import cosine_similarities, flatten, keep, l2_normalize
from keras_kd.tensors import Tensor


@keras.saving.register_keras_serializable("keras_kd")
class SimilarityPreserving(SignalLoss):
    """Squared distance between the pairwise similarities inside a batch.

    The value of sample i is its row of the matrix. Widths may differ; the value does not change
    when either model's features are rotated. Padded positions count as zeros.

    Formula: `||n(G_s) - n(G_t)||_F^2 / B^2` with `G = F F^T` over flattened features and `n` the L2
    norm of each row.

    Reads: one feature each, of any rank and width, usually the last before the head.

    Defaults: none. The CRD benchmark (arXiv 1910.10699) gives it weight 3000.

    Equals: mdistiller's and RepDistiller's value, averaged over all `B^2` pairs.

    Source: Tung, Mori 2019, "Similarity-Preserving Knowledge Distillation", arXiv 1907.09682.

    Shapes:
        teacher, student: `(batch, ...)`, any ranks and widths. Result: `(batch,)`.

    Examples:
        >>> import numpy as np
        >>> import keras_kd as kd
        >>> teacher, student = np.eye(2), np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 2.0]])
        >>> float(kd.losses.SimilarityPreserving()(teacher, student))
        0.0
    """

    def call(self, teacher: Tensor, student: Tensor, mask: Mask = None) -> Tensor:
        teacher, student = keep(ops.stop_gradient(teacher), mask), keep(student, mask)
        return ops.mean(ops.square(_similarities(student) - _similarities(teacher)), axis=-1)


def _similarities(features: Tensor) -> Tensor:
    flat = flatten(features)
    return l2_normalize(ops.matmul(flat, ops.transpose(flat)))


@keras.saving.register_keras_serializable("keras_kd")
class ProbabilisticTransfer(SignalLoss):
    """Kullback-Leibler divergence between the probabilities that one sample is another's neighbor (PKT).

    Probabilities are cosine similarities, shifted to 0..1 and divided by the sum of the row. Widths may
    differ; the value does not change when a sample's features are scaled. Padded positions count as
    zeros.

    Formula: `mean_j p_t log((p_t + e) / (p_s + e))` with `p = k / sum_j k`, `k = (1 + cos) / 2` and
    `e = 1e-7`.

    Reads: one feature each, of any rank and width, usually the last before the head.

    Defaults: none. The CRD benchmark (arXiv 1910.10699) gives it weight 30000.

    Equals: the authors', mdistiller's and RepDistiller's value, averaged over all `B^2` pairs. The
    divergence itself, the sum over `j`, is this times `B`.

    Source: Passalis, Tefas 2018, "Learning Deep Representations with Probabilistic Knowledge
    Transfer", arXiv 1803.10837.

    Shapes:
        teacher, student: `(batch, ...)`, any ranks and widths. Result: `(batch,)`.

    Examples:
        >>> import numpy as np
        >>> import keras_kd as kd
        >>> teacher, student = np.eye(2), np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 2.0]])
        >>> float(kd.losses.ProbabilisticTransfer()(teacher, student))
        0.0
    """

    def call(self, teacher: Tensor, student: Tensor, mask: Mask = None) -> Tensor:
        teacher, student = keep(ops.stop_gradient(teacher), mask), keep(student, mask)
        log_teacher, log_student = (ops.log(_neighbours(x) + 1e-7) for x in (teacher, student))
        # Rows of both have the same sum, so this is sum_j (p_t + e) log(...) without cancellation.
        value = kl_divergence(log_teacher, log_student)
        value = value - 1e-7 * ops.sum(log_teacher - log_student, axis=-1)
        return value / ops.cast(ops.shape(student)[0], value.dtype)


def _neighbours(features: Tensor) -> Tensor:
    similarity = ops.maximum(1 + cosine_similarities(features), 0)  # below 0 only by rounding
    return similarity / ops.sum(similarity, axis=-1, keepdims=True)
