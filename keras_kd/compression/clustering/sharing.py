"""Which weights of a kernel share a value: found before training, and inferred from weights that do."""

from dataclasses import dataclass

import numpy as np

from keras_kd.compression.clustering.centroids import assign, find_centroids
from keras_kd.compression.kernels import Kernel


@dataclass(frozen=True)
class Sharing:
    """The clusters of a kernel.

    Args:
        index: The cluster of each weight, in the shape of the kernel.
        centroids: The value of each cluster; those of a channel follow each other, sorted. Infinity
            stands where there are fewer than were asked for.
    """

    index: np.ndarray
    centroids: np.ndarray


def groups_of(kernel: Kernel, per: str) -> int:
    """How many groups of weights of a kernel have clusters of their own: its outputs, or one.

    A depthwise kernel is one group: its channels have a few weights each.
    """
    return kernel.outputs if per == "channel" and kernel.inputs is not None else 1


def group_shape(kernel: Kernel, per: str) -> tuple[int, ...]:
    """The groups in the shape of the kernel: 1 along axes that groups do not tell apart."""
    inputs = kernel.inputs if groups_of(kernel, per) > 1 else None
    sizes = enumerate(kernel.variable.shape)
    return tuple(1 if inputs is None or axis in inputs else size for axis, size in sizes)


def share_values(kernel: Kernel, clusters: int, initial: str, per: str, with_zero: bool) -> Sharing:
    """The clusters of a kernel for its current weights.

    Args:
        kernel: The kernel.
        clusters: How many there are, for the kernel or for each output.
        initial: `"kmeans++"`, `"linear"` or `"density"`.
        per: `"layer"` or `"channel"`.
        with_zero: Whether one of the clusters is zero.
    """
    value, groups = kernel.value(), groups_of(kernel, per)
    columns = [value.ravel()] if groups == 1 else list(kernel.matrix(value).T)
    centroids = np.full((groups, clusters), np.inf, "float32")
    indices = []
    for i, column in enumerate(columns):
        found = find_centroids(column, clusters, initial, with_zero)
        centroids[i, : len(found)] = found
        indices.append(assign(column, found) + np.int32(i * clusters))
    index = indices[0].reshape(value.shape) if groups == 1 else kernel.unmatrix(np.stack(indices, 1))
    return Sharing(index, centroids.ravel())


def mean_values(value: np.ndarray, index: np.ndarray, size: int, counted: np.ndarray) -> np.ndarray:
    """The mean of each cluster's weights; where they are equal, exactly their value.

    Args:
        value: The weights.
        index: The cluster of each.
        size: The number of clusters.
        counted: Which weights count.
    """
    index, value = index[counted], value[counted].astype("float64")
    counts, sums = np.bincount(index, minlength=size), np.bincount(index, value, size)
    return (sums / np.maximum(counts, 1)).astype("float32")
