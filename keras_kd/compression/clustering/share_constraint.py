"""ShareConstraint: keeps the weights of a cluster equal, from within the optimizer's step."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_kd.compression.clustering.centroid_steps import move_centroids
from keras_kd.compression.clustering.reassignment import Clusters, reassign
from keras_kd.compression.clustering.sharing import mean_values
from keras_kd.compression.kernel_constraint import KernelConstraint
from keras_kd.tensors import Tensor

_COMPILED = 2**16  # kernels of as many weights are worth the time that XLA takes to compile
_SMALL = 2**8  # as many clusters are counted in a byte


class ShareConstraint(KernelConstraint):
    """The constraint on a weight while it is clustered.

    The optimizer takes its own step with every weight. A centroid then moves by the mean step of its weights,
    and takes them along: of all weights that share values in this way, these are nearest to that step. With
    `groups`, each weight then goes to the centroid that is nearest to what its own steps made of it.

    Args:
        variable: The weight. Its existing constraint, if any, is still applied.
        model: The model being trained.
        size: How many clusters the weight has, in all channels.
        keep_zeros: Whether zeros stay zero.
        waits: Whether clusters begin later than the first step.
        groups: If weights change clusters: the shape of the groups beside that of the weight.
    """

    what = "kd.Cluster callbacks cluster"
    is_inner = False

    def __init__(
        self,
        variable: keras.Variable,
        model: keras.Model,
        size: int,
        keep_zeros: bool,
        waits: bool,
        groups: Sequence[int] | None = None,
    ) -> None:
        super().__init__(variable, model)
        self.size, self.keep_zeros, self.waits, self.groups = size, keep_zeros, waits, groups
        self._mask: np.ndarray | None = None  # that of `kd.Prune` when last looked at
        self._is_zero = np.zeros(size, bool)
        # In float32 a sum of many equal weights is not exact; that of their steps need not be.
        self.centroids = self._state(np.zeros(size), variable.dtype, "centroids")
        self.index = self._state(np.zeros(variable.shape), "uint8" if size <= _SMALL else "int32", "index")
        self.counts = self._state(np.zeros(size), "float32", "counts")  # 0 for a fixed one
        self.is_active = self._state(np.array(not waits), "bool", "is_active")
        self.originals: keras.Variable | None = None
        if groups is not None:
            self.originals = self._state(np.zeros(variable.shape), "float32", "originals")
        is_large = bool(np.prod(variable.shape) >= _COMPILED)
        self._share, self._reassign = (_made(function, is_large) for function in (share, share_anew))

    def _state(self, value: np.ndarray, dtype: str, name: str) -> keras.Variable:
        # Replicas compute the same values, so each assigns its own.
        return keras.Variable(value, dtype=dtype, trainable=False, name=name, aggregation="none")

    def __call__(self, w: Tensor) -> Tensor:
        w = w if self.own is None else self.own(w)
        state = self._read(w, self.index, self.centroids, self.counts)
        if self.originals is None:
            shared, centroids = self._share(*state, is_pruned=self.is_pruned)
            self.centroids.assign(centroids)
        else:
            shared = self._change(*state)
        average = self.average()
        if average is not None:
            given = self._read(average, self.index, self.centroids, self.counts)
            means, _ = self._share(*given, is_pruned=self.is_pruned)
            average.assign(self._if_active(means, given[0]))
        return self._if_active(shared, state[0])

    def _change(self, w: Tensor, *state: Tensor) -> Tensor:
        """Let weights change clusters."""
        [originals] = self._read(self.originals)
        keep_zeros = self.keep_zeros or self.is_pruned
        options = {"groups": self.groups, "keep_zeros": keep_zeros, "is_pruned": self.is_pruned}
        shared, clusters = self._reassign(w, *state, originals, **options)
        for variable, value in zip(self._variables(), clusters, strict=True):
            variable.assign(tf.cast(value, variable.dtype))
        return shared

    def _variables(self) -> list[keras.Variable]:
        return [v for v in (self.index, self.centroids, self.counts, self.originals) if v is not None]

    def _if_active(self, shared: Tensor, w: Tensor) -> Tensor:
        return tf.where(self.is_active.value, shared, w) if self.waits else shared

    def _read(self, *values: Tensor | keras.Variable | None) -> list[Tensor]:
        # What Keras makes of a variable may be one of TensorFlow.
        return [tf.convert_to_tensor(keras.ops.convert_to_tensor(value)) for value in values]

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

    def set_sharing(
        self,
        index: np.ndarray,
        centroids: np.ndarray | None = None,
        originals: np.ndarray | None = None,
    ) -> None:
        """Let weights share values from now on.

        Args:
            index: The cluster of each weight.
            centroids: The values; by default, the means of the weights.
            originals: What decides to which cluster a weight goes; by default, the value that it shares.
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
            self.counts.assign(np.where(self._is_zero, 0, counts))
            self.last_set = index
        centroids = np.where(self._is_zero, 0, centroids)
        self.centroids.assign(centroids)
        self.is_active.assign(True)
        shared = np.where(counted, centroids[index], 0)
        self.variable.assign(shared)
        if self.originals is not None:
            self.originals.assign(shared if originals is None else originals)
        average = self.average()
        if average is not None:
            means = mean_values(average.numpy(), index, self.size, counted)
            average.assign(np.where(counted, np.where(self._is_zero, 0, means)[index], 0))

    def read_sharing(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The clusters of weights that change them, as `set_sharing` takes them."""
        index, centroids, originals = (
            np.asarray(value) for value in self._read(self.index, self.centroids, self.originals)
        )
        self.last_set = index
        return index, centroids.astype("float32"), originals


def share(
    w: Tensor, index: Tensor, centroids: Tensor, counts: Tensor, is_pruned: bool, is_compiled: bool = False
) -> tuple[Tensor, Tensor]:
    """Weights that share values, and these, after each weight took a step of its own.

    Args:
        w: The weights after the step.
        index: The cluster of each.
        centroids: The value of each cluster before the step.
        counts: How many weights it has; 0 for clusters that do not move.
        is_pruned: Whether weights that are zero stay zero, and do not count.
        is_compiled: Whether XLA compiles this.
    """
    index = tf.cast(index, "int32")
    centroids = move_centroids(w, index, centroids, counts, is_pruned, is_compiled)
    shared = tf.gather(centroids, index)
    return tf.where(tf.equal(w, 0), tf.zeros((), w.dtype), shared) if is_pruned else shared, centroids


def share_anew(
    w: Tensor, index: Tensor, centroids: Tensor, counts: Tensor, originals: Tensor, **options: Any
) -> tuple[Tensor, Clusters]:
    """Weights that share values with others than before, and these; `options` are those of `reassign`."""
    clusters = reassign(w, Clusters(tf.cast(index, "int32"), centroids, counts, originals), **options)
    return tf.gather(clusters.centroids, clusters.places), clusters


def _made(function: Callable[..., Any], is_large: bool) -> Callable[..., Any]:
    """The function, compiled by XLA for kernels that are large."""
    function = functools.partial(function, is_compiled=is_large)
    return tf.function(function, jit_compile=True) if is_large else function
