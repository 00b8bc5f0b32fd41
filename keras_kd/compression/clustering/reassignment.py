"""Weights that change clusters: after each step, each belongs to the centroid that is then nearest."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from keras_kd.compression.clustering.centroid_steps import move_centroids, sum_by
from keras_kd.tensors import Tensor


class Clusters(NamedTuple):
    """The clusters of a weight, as they change from step to step.

    Args:
        places: The cluster of each weight.
        centroids: The value of each cluster, in each group sorted.
        counts: How many weights it has; 0 for clusters that do not move.
        originals: What each weight would be, had it taken its own steps.
    """

    places: Tensor
    centroids: Tensor
    counts: Tensor
    originals: Tensor


def reassign(
    w: Tensor, clusters: Clusters, groups: Sequence[int], keep_zeros: bool, is_pruned: bool, is_compiled: bool
) -> Clusters:
    """The clusters after each weight took a step of its own.

    Args:
        w: The weights after the step.
        clusters: The clusters before it.
        groups: The shape of the groups, which have clusters of their own, beside that of the weights.
        keep_zeros: Whether a centroid that is zero stays there, and an original that is zero too.
        is_pruned: Whether weights that are zero stay zero, and do not count.
        is_compiled: Whether XLA compiles this.
    """
    index, centroids, counts, before = clusters
    moved = move_centroids(w, index, centroids, counts, is_pruned, is_compiled)
    originals = before + tf.cast(w, "float32") - tf.cast(tf.gather(centroids, index), "float32")
    if keep_zeros:
        originals = tf.where(tf.equal(before, 0), 0.0, originals)
    if is_pruned:
        originals = tf.where(tf.equal(w, 0), 0.0, originals)
    # Two that move past each other exchange their places.
    table = tf.sort(tf.reshape(tf.cast(moved, "float32"), (int(np.prod(groups)), -1)))
    index = find_nearest(originals, table, groups)
    counts = sum_by(index, tf.ones_like(originals), counts.shape[0], is_compiled)
    centroids = tf.cast(tf.reshape(table, (-1,)), centroids.dtype)
    if keep_zeros:
        counts = tf.where(tf.equal(centroids, 0), 0.0, counts)
    return Clusters(index, centroids, counts, originals)


def find_nearest(values: Tensor, table: Tensor, groups: Sequence[int]) -> Tensor:
    """The index of the centroid nearest to each value; of two equally near, the lower one.

    Args:
        values: The values.
        table: The centroids of each group, sorted.
        groups: The shape of the groups, which broadcasts with that of the values.
    """
    count, clusters = table.shape
    rounds = (clusters - 1).bit_length()
    missing = 2**rounds - clusters + 1
    middles = tf.pad((table[:, 1:] + table[:, :-1]) / 2, [[0, 0], [0, missing]], constant_values=np.inf)
    middles = tf.reshape(middles, (-1,))
    group = tf.constant(np.arange(count).reshape(groups), "int32")
    place = tf.zeros_like(values, "int32")
    for power in reversed(range(rounds)):  # a binary search, of all values at once
        further = place + 2**power
        is_above = values > tf.gather(middles, group * 2**rounds + further - 1)
        place = tf.where(is_above, further, place)
    return group * clusters + place
