"""k-means of numbers: on a line, clusters are intervals, so a round takes one search in sorted values."""

import numpy as np
import tensorflow as tf

_SAMPLE = 2**18  # as many values are enough to start from
_ROUNDS = 1000  # far more than it takes to converge, of some microseconds each
_SEED = 9  # that of tensorflow-model-optimization


def find_seeds(values: np.ndarray, count: int) -> np.ndarray:
    """Values to start k-means from, by greedy k-means++.

    They are those of tensorflow-model-optimization. Of more than 262,144 values, an even sample is used.

    Source: Arthur and Vassilvitskii 2007.

    Args:
        values: Numbers, in one dimension.
        count: How many to choose; all values if there are fewer.
    """
    if len(values) <= count:
        return values
    if len(values) > _SAMPLE:
        values = np.sort(values)[:: -(-len(values) // _SAMPLE)]
    with tf.device("CPU"):
        chosen = tf.raw_ops.KmeansPlusPlusInitialization(
            points=values[:, None].astype("float32"),
            num_to_sample=count,
            seed=_SEED,
            num_retries_per_sample=-1,
        )
    return chosen.numpy().ravel()


def converge(values: np.ndarray, centroids: np.ndarray, with_zero: bool) -> np.ndarray:
    """Centroids moved to the means of the values nearest to them, until none moves.

    Source: Lloyd 1982, "Least squares quantization in PCM".

    Args:
        values: Numbers, in one dimension.
        centroids: Where to start.
        with_zero: Whether a centroid that is zero stays there.
    """
    ordered = np.sort(values.astype("float64"))
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    centroids = np.unique(centroids.astype("float64"))
    fixed = with_zero & (centroids == 0)
    for _ in range(_ROUNDS):
        ends = np.searchsorted(ordered, midpoints(centroids), side="right")
        ends = np.concatenate([[0], ends, [len(ordered)]])
        counts, totals = np.diff(ends), np.diff(sums[ends])
        moved = np.where((counts > 0) & ~fixed, totals / np.maximum(counts, 1), centroids)
        if np.array_equal(moved, centroids):
            break
        centroids = moved
    return centroids.astype("float32")


def midpoints(centroids: np.ndarray) -> np.ndarray:
    """The boundaries between neighbors of sorted centroids."""
    exact = centroids.astype("float64")
    return (exact[1:] + exact[:-1]) / 2
