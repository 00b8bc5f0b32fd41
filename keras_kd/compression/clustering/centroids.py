"""The first centroids of a kernel, and which weight gets which: as in tensorflow-model-optimization."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from keras_kd.compression.clustering.kmeans import converge, find_seeds, midpoints

_GRID = 30  # points at which tensorflow-model-optimization evaluates the distribution of weights
_MARGIN = 0.01


def find_centroids(values: np.ndarray, clusters: int, initial: str, with_zero: bool) -> np.ndarray:
    """At most `clusters` distinct centroids, sorted.

    Values that are few enough to begin with are their own centroids.

    Args:
        values: The weights, in one dimension, in the order of the kernel.
        clusters: How many centroids to find.
        initial: `"kmeans++"`, `"linear"` or `"density"`.
        with_zero: Whether one of them is zero. The others are then shared out between negative and positive
            weights, in proportion to their numbers.
    """
    few = _distinct(values, clusters, with_zero)
    if few is not None:
        return few
    if with_zero:
        negative, positive = values[values < 0], values[values > 0]
        below = int(np.round((clusters - 1) * len(negative) / (len(negative) + len(positive))))
        parts = [_start(negative, below, initial, with_zero), np.zeros(1, "float32")]
        found = np.concatenate([*parts, _start(positive, clusters - 1 - below, initial, with_zero)])
    else:
        found = _start(values, clusters, initial, with_zero)
    return converge(values, found, with_zero) if initial == "kmeans++" else np.unique(found)


def assign(values: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """The index of the centroid nearest to each value; of two equally near, the lower one."""
    return np.searchsorted(midpoints(centroids), values.astype("float64")).astype("int32")


def _distinct(values: np.ndarray, clusters: int, with_zero: bool) -> np.ndarray | None:
    """The distinct values, if they are at most `clusters`."""
    # Looking at a few first saves sorting all of them.
    if len(np.unique(values[: 8 * clusters])) > clusters:
        return None
    distinct = np.unique(np.append(values, [0.0] if with_zero else []))
    return distinct.astype("float32") if len(distinct) <= clusters else None


def _start(values: np.ndarray, count: int, initial: str, with_zero: bool) -> np.ndarray:
    if count <= 0 or not len(values):
        return np.zeros(0, "float32")
    kinds: dict[str, Callable[[], np.ndarray]] = {
        "kmeans++": lambda: find_seeds(values, count),
        "linear": lambda: _evenly(values.min(), values.max(), count),
        "density": lambda: _quantiles(values, count, with_zero),
    }
    return kinds[initial]()


def _quantiles(values: np.ndarray, count: int, with_zero: bool) -> np.ndarray:
    """Values that divide the weights into equal parts, to the precision of a grid of 30 points."""
    low, high = values.min(), values.max()
    margin = min(_MARGIN, abs(low) / 2, abs(high) / 2) if with_zero else _MARGIN
    grid = _evenly(low - margin, high + margin, _GRID)
    below = np.searchsorted(np.sort(values), grid, side="right").astype("float32") / np.float32(len(values))
    places = np.searchsorted(below, _evenly(0.01, 1, count), side="right")
    return grid[np.minimum(places, _GRID - 1)]


def _evenly(low: float, high: float, count: int) -> np.ndarray:
    # That of NumPy rounds differently.
    return tf.linspace(np.float32(low), np.float32(high), count).numpy()
