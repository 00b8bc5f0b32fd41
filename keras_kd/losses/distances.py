"""Losses that compare the distances and angles between the samples of a batch.

Like the losses in `relations`, they return each sample's row of the pairwise values.
"""

import keras
from keras import ops

from keras_kd.losses.inputs import Mask
from keras_kd.losses.loss import SignalLoss
from keras_kd.losses.samples import flatten, keep
from keras_kd.tensors import Tensor


@keras.saving.register_keras_serializable("keras_kd")
class RelationalDistance(SignalLoss):
    """Difference between the pairwise distances of the samples in a batch (RKD-D).

    Distances are divided by their mean, so that the value does not change when either model's
    features are shifted, rotated or scaled. Widths may differ. Padded positions count as zeros.

    Formula: `mean_j h(d_s / m_s - d_t / m_t)` with `d` the Euclidean distance to sample `j`, `m` its
    mean over all pairs of different samples, and `h` the Huber function with delta 1.

    Reads: one feature each, of any rank and width, usually the last before the head.

    Defaults: none. RepDistiller uses weight 25, with 50 for the angles; the authors use 1, with 2.

    Equals: the authors', RepDistiller's and mdistiller's value, averaged over all `B^2` pairs, including
    each sample with itself.

    Source: Park et al. 2019, "Relational Knowledge Distillation", arXiv 1904.05068.

    Shapes:
        teacher, student: `(batch, ...)`, any ranks and widths. Result: `(batch,)`.

    Examples:
        >>> import numpy as np
        >>> import keras_kd as kd
        >>> teacher, student = np.eye(3), 5.0 * np.eye(3)
        >>> float(kd.losses.RelationalDistance()(teacher, student))
        0.0
    """

    def call(self, teacher: Tensor, student: Tensor, mask: Mask = None) -> Tensor:
        teacher, student = keep(ops.stop_gradient(teacher), mask), keep(student, mask)
        gaps = _relative_distances(student) - _relative_distances(teacher)
        return ops.mean(_huber(gaps), axis=-1)


def _relative_distances(features: Tensor) -> Tensor:
    squared = squared_distances(features)
    apart = squared > 0  # sqrt has an infinite gradient at 0
    distances = ops.where(apart, ops.sqrt(ops.where(apart, squared, 1.0)), 0.0)
    samples = ops.cast(ops.shape(distances)[0], distances.dtype)
    return divide(distances, ops.sum(distances) / ops.maximum(samples * (samples - 1), 1))


@keras.saving.register_keras_serializable("keras_kd")
class RelationalAngle(SignalLoss):
    """Difference between the angles of triples of samples in a batch (RKD-A).

    The value of sample i covers the angles at sample i. It does not change when either model's
    features are shifted, rotated or scaled. Widths may differ. Padded positions count as zeros. There
    are `B^3` angles, whatever the width: 256 MB for a batch of 400, and a few such tensors at once.

    Formula: `mean_jk h(c_s - c_t)` with `c` the cosine of the angle at sample `i` between samples `j`
    and `k`, and `h` the Huber function with delta 1.

    Reads: one feature each, of any rank and width, usually the last before the head.

    Defaults: none. RepDistiller uses weight 50, with 25 for the distances; the authors use 2, with 1.

    Equals: the authors', RepDistiller's and mdistiller's value, averaged over all `B^3` triples,
    including those that contain a sample twice.

    Source: Park et al. 2019, "Relational Knowledge Distillation", arXiv 1904.05068.

    Shapes:
        teacher, student: `(batch, ...)`, any ranks and widths. Result: `(batch,)`.

    Examples:
        >>> import numpy as np
        >>> import keras_kd as kd
        >>> teacher, student = np.eye(3), 1.0 - 5.0 * np.eye(3)
        >>> round(float(kd.losses.RelationalAngle()(teacher, student)), 6)
        0.0
    """

    def call(self, teacher: Tensor, student: Tensor, mask: Mask = None) -> Tensor:
        teacher, student = keep(ops.stop_gradient(teacher), mask), keep(student, mask)
        return ops.mean(_huber(_angles(student) - _angles(teacher)), axis=(1, 2))


def _angles(features: Tensor) -> Tensor:
    """Cosines `(at, one, other)` by the law of cosines, which needs no difference vectors."""
    squared = squared_distances(features)
    apart = squared > 0
    inverse = ops.where(apart, ops.rsqrt(ops.where(apart, squared, 1.0)), 0.0)
    sides = ops.expand_dims(squared, 2) + ops.expand_dims(squared, 1) - ops.expand_dims(squared, 0)
    return sides * (0.5 * ops.expand_dims(inverse, 2)) * ops.expand_dims(inverse, 1)


def squared_distances(features: Tensor) -> Tensor:
    """Squared Euclidean distances between samples, `(batch, batch)`, from inner products.

    Inner products are imprecise for distances that are small relative to the features' norms. So features
    are centered first, and a distance that may be pure rounding error is set to 0, without a gradient. So
    is one below 1e-6, the smallest distance in the reference implementations.
    """
    flat = flatten(features)
    flat = flat - ops.mean(flat, axis=0, keepdims=True)
    products = ops.matmul(flat, ops.transpose(flat))
    lengths = ops.diagonal(products)
    lengths = ops.expand_dims(lengths, 0) + ops.expand_dims(lengths, 1)
    squared = lengths - 2 * products
    bits = 52 if ops.dtype(flat) == "float64" else 23
    least = ops.maximum(lengths * 2.0 ** (3 - bits), 1e-12)
    return ops.where(squared > least, squared, 0.0)


def divide(values: Tensor, scale: Tensor) -> Tensor:
    """Values divided by a scale; unchanged where the scale is 0."""
    return values / ops.where(scale > 0, scale, 1.0)


def _huber(gaps: Tensor) -> Tensor:
    size = ops.abs(gaps)
    within = ops.minimum(size, 1.0)
    return within * (size - within / 2)
