"""A loss that reads correlations between samples of a batch: all pairs, or only neighbors."""

import math
from typing import Any

import keras
from keras import ops

from keras_kd.losses.arguments import check_integer, check_positive
from keras_kd.losses.inputs import Mask
from keras_kd.losses.loss import SignalLoss
from keras_kd.losses.samples import cosine_similarities, flatten, keep, require_same_shape
from keras_kd.tensors import Tensor


@keras.saving.register_keras_serializable("keras_kd")
class CorrelationCongruence(SignalLoss):
    """Squared distance between the correlations of samples in a batch (CC).

    Two methods were published under this name. `kernel="rbf"` compares the paper's correlation matrices,
    with a Gaussian kernel expanded to a few terms. `kernel="neighbours"` is the code of the CRD
    benchmark, which is attributed to the authors: products of the student-teacher differences of
    consecutive samples. It is the only loss here that depends on the order of the batch, and it needs
    equal widths. Padded positions count as zeros.

    Formula: `mean_j (k_s - k_t)^2` with `k = exp(-2 g) sum_{p <= P} (2 g cos)^p / p!`; or, for
    `"neighbours"`, `mean_i sum_d D_i D_{i+1}` with `D = |f_s - f_t|`.

    Reads: one feature each, usually the last before the head. For `"neighbours"`, project it:
    `kd.Objective(kd.losses.CorrelationCongruence("neighbours"), student="pool", teacher="pool",
    project=True)`.

    Defaults: `gamma=0.4`, `order=2`, Knowledge-Distillation-Zoo's, with weight 100. The CRD benchmark
    (arXiv 1910.10699) gives its version weight 0.02.

    Equals: Knowledge-Distillation-Zoo's `CC`, averaged over all `B^2` pairs; for `"neighbours"`,
    RepDistiller's `Correlation`, averaged over the `B - 1` pairs. A pair's value is split evenly between
    its two samples.

    Source: Peng et al. 2019, "Correlation Congruence for Knowledge Distillation", arXiv 1904.01802.

    Args:
        kernel: `"rbf"` or `"neighbours"`.
        gamma: The Gaussian's inverse width, above 0, for unit-length features.
        order: The highest power of the cosine in the expansion, at least 1.

    Shapes:
        teacher, student: `(batch, ...)`, any ranks and widths; the same shape for `"neighbours"`.
        Result: `(batch,)`.

    Examples:
        >>> import numpy as np
        >>> import keras_kd as kd
        >>> teacher, student = np.eye(2), np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 2.0]])
        >>> float(kd.losses.CorrelationCongruence()(teacher, student))
        0.0
    """

    def __init__(self, kernel: str = "rbf", gamma: float = 0.4, order: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if kernel not in ("rbf", "neighbours"):
            raise ValueError(f"`kernel` must be 'rbf' or 'neighbours'. Received: {kernel!r}.")
        self.kernel, self.gamma = kernel, check_positive("gamma", gamma)
        self.order = check_integer("order", order)

    def call(self, teacher: Tensor, student: Tensor, mask: Mask = None) -> Tensor:
        teacher, student = keep(ops.stop_gradient(teacher), mask), keep(student, mask)
        if self.kernel == "neighbours":
            require_same_shape(self, teacher, student)
            return _between_neighbours(ops.abs(flatten(student - teacher)))
        return ops.mean(ops.square(self._correlations(student) - self._correlations(teacher)), axis=-1)

    def _correlations(self, features: Tensor) -> Tensor:
        scaled = 2 * self.gamma * cosine_similarities(features)
        series = ops.ones_like(scaled)
        for power in range(self.order, 0, -1):
            series = 1 + scaled / power * series
        return math.exp(-2 * self.gamma) * series


def _between_neighbours(gaps: Tensor) -> Tensor:
    ahead = ops.concatenate([gaps[1:], ops.zeros_like(gaps[:1])], axis=0)
    pairs = ops.sum(gaps * ahead, axis=-1)  # of each sample and the next; the last has none
    shared = (pairs + ops.concatenate([ops.zeros_like(pairs[:1]), pairs[:-1]], axis=0)) / 2
    samples = ops.cast(ops.shape(gaps)[0], gaps.dtype)
    return shared * samples / ops.maximum(samples - 1, 1)
