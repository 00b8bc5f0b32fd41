"""ShareConstraint: keeps the weights of a cluster equal, from within the optimizer's step."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from keras_kd.compression.clustering.sharing import mean_values
from keras_kd.compression.kernel_constraint import KernelConstraint
from keras_kd.tensors import Tensor

_COMPILED = 2**16  # kernels of as many weights are worth the time that XLA takes to compile


class ShareConstraint(KernelConstraint):
    """The constraint on a weight while it is clustered.

    The optimizer takes its own step with every weight. A centroid then moves by the mean step of its weights,
    and takes them along: of all weights that share values in this way, these are nearest to that step.

    Args:
        variable: The weight. Its existing constraint, if any, is still applied.
        model: The model being trained.
        size: How many clusters the weight has, in all channels.
        keep_zeros: Whether zeros stay zero.
        waits: Whether clusters begin later than the first step.
    """

    what = "kd.Cluster callbacks cluster"
    is_inner = False

    def __init__(
        self, variable: keras.Variable, model: keras.Model, size: int, keep_zeros: bool, waits: bool
    ) -> None:
        super().__init__(variable, model)
        self.size, self.keep_zeros, self.waits = size, keep_zeros, waits
        self._mask: np.ndarray | None = None  # that of `kd.Prune` when last looked at
        self._is_zero = np.zeros(size, bool)
        # In float32 a sum of many equal weights is not exact; that of their steps need not be.
        self.centroids = self._state(np.zeros(size), variable.dtype, "centroids")
        self.index = self._state(np.zeros(variable.shape), "int32", "index")
        self.scales = self._state(np.zeros(size), "float32", "scales")  # 1 / weights, or 0 for a fixed one
        self.is_active = self._state(np.array(not waits), "bool", "is_active")
        large = np.prod(variable.shape) >= _COMPILED
        self._share: Callable[..., tuple[Tensor, Tensor]] = share
        if large:
            self._share = tf.function(share, jit_compile=True)

    def _state(self, value: np.ndarray, dtype: str, name: str) -> keras.Variable:
        # Replicas compute the same values, so each assigns its own.
        return keras.Variable(value, dtype=dtype, trainable=False, name=name, aggregation="none")

    def __call__(self, w: Tensor) -> Tensor:
        average = self.average()
        if average is not None:
            average.assign(self._move(average)[0])
        moved, centroids = self._move(w if self.own is None else self.own(w))
        self.centroids.assign(centroids)
        return moved

    def _move(self, w: Tensor) -> tuple[Tensor, Tensor]:
        given = map(keras.ops.convert_to_tensor, (w, self.index, self.centroids, self.scales))
        w, *state = map(
            tf.convert_to_tensor, given
        )  # what Keras makes of a variable may be one of TensorFlow
        moved, centroids = self._share(w, *state, is_pruned=self.is_pruned)
        return tf.where(self.is_active.value, moved, w) if self.waits else moved, centroids

    @property
    def is_pruned(self) -> bool:
        """Whether `kd.Prune` makes zeros in the same training."""
        return isinstance(self.own, KernelConstraint)

    def has_new_zeros(self) -> bool:
        """Whether `kd.Prune` has pruned more since this was last asked."""
        mask = self.own.last_set if isinstance(self.own, KernelConstraint) else None
        before, self._mask = self._mask, mask
        if mask is None or mask is before:
            return False
        return bool((~mask if before is None else before & ~mask).any())

    def takes(self, index: np.ndarray) -> bool:
        """Whether clusters are such that the weight can have."""
        return index.shape == tuple(self.variable.shape) and int(index.max()) < self.size

    def set_sharing(self, index: np.ndarray, centroids: np.ndarray | None = None) -> None:
        """Let weights share values from now on.

        Args:
            index: The cluster of each weight.
            centroids: The values; by default, the means of the weights.
        """
        self.keep_zeros = self.keep_zeros or self.is_pruned
        value = self.variable.numpy().astype("float32")
        counted = (value != 0) | (not self.keep_zeros)
        if centroids is None:
            centroids = mean_values(value, index, self.size, counted)
        if index is not self.last_set:
            self._is_zero = self.keep_zeros & (centroids == 0)
            counts = np.bincount(index.ravel(), minlength=self.size)
            self.index.assign(index)
            self.scales.assign(np.where(self._is_zero | (counts == 0), 0, 1 / np.maximum(counts, 1)))
            self.last_set = index
        centroids = np.where(self._is_zero, 0, centroids)
        self.centroids.assign(centroids)
        self.is_active.assign(True)
        self.variable.assign(np.where(counted, centroids[index], 0))
        average = self.average()
        if average is not None:
            means = mean_values(average.numpy(), index, self.size, counted)
            average.assign(np.where(counted, np.where(self._is_zero, 0, means)[index], 0))


def share(
    w: Tensor, index: Tensor, centroids: Tensor, scales: Tensor, is_pruned: bool
) -> tuple[Tensor, Tensor]:
    """Weights that share values, and these, after each weight took a step of its own.

    Args:
        w: The weights after the step.
        index: The cluster of each.
        centroids: The value of each cluster before the step.
        scales: One over the number of its weights; 0 for clusters that do not move.
        is_pruned: Whether weights that are zero stay zero, and do not count.
    """
    steps = tf.cast(w, "float32") - tf.cast(tf.gather(centroids, index), "float32")
    if is_pruned:
        kept = tf.not_equal(w, 0)
        steps = tf.where(kept, steps, 0.0)
        counts = _sum_by(index, tf.cast(kept, "float32"), scales.shape[0])
        scales = tf.where(scales > 0, 1 / tf.maximum(counts, 1), 0.0)
    moves = tf.where(scales > 0, scales * _sum_by(index, steps, scales.shape[0]), 0.0)
    centroids = tf.cast(tf.cast(centroids, "float32") + moves, centroids.dtype)
    shared = tf.gather(centroids, index)
    return tf.where(kept, shared, 0.0) if is_pruned else shared, centroids


def _sum_by(index: Tensor, values: Tensor, size: int) -> Tensor:
    """The sum of the values of each cluster."""
    # `unsorted_segment_sum` takes ten times as long. Of a matrix with one row, the order of the sum is fixed.
    index, values = tf.reshape(index, (1, -1)), tf.reshape(values, (1, -1))
    return tf.raw_ops.DenseBincount(input=index, size=size, weights=values)[0]
