"""The steps of centroids: each moves by the mean step of its weights."""

import tensorflow as tf

from keras_kd.tensors import Tensor


def move_centroids(
    w: Tensor, index: Tensor, centroids: Tensor, counts: Tensor, is_pruned: bool, is_compiled: bool
) -> Tensor:
    """The values that weights share, after each weight took a step of its own.

    Args:
        w: The weights after the step.
        index: The cluster of each.
        centroids: The value of each cluster before the step.
        counts: How many weights it has; 0 for clusters that do not move.
        is_pruned: Whether weights that are zero do not count.
        is_compiled: Whether XLA compiles this.
    """
    size = counts.shape[0]
    steps = tf.cast(w, "float32") - tf.cast(tf.gather(centroids, index), "float32")
    if is_pruned:
        kept = tf.not_equal(w, 0)
        steps = tf.where(kept, steps, 0.0)
        counts = tf.where(counts > 0, sum_by(index, tf.cast(kept, "float32"), size, is_compiled), 0.0)
    # Not a product with the reciprocal, which TensorFlow and NumPy do not round alike.
    means = sum_by(index, steps, size, is_compiled) / tf.maximum(counts, 1)
    moves = tf.where(counts > 0, means, 0.0)
    return tf.cast(tf.cast(centroids, "float32") + moves, centroids.dtype)


def sum_by(index: Tensor, values: Tensor, size: int, is_compiled: bool) -> Tensor:
    """The sum of the values of each cluster."""
    # `unsorted_segment_sum` takes ten times as long. Of a matrix with one row, TensorFlow fixes the order of
    # the sum; XLA always does, and takes less time for a vector.
    shape = (-1,) if is_compiled else (1, -1)
    index, values = tf.reshape(index, shape), tf.reshape(values, shape)
    sums = tf.raw_ops.DenseBincount(input=index, size=size, weights=values)
    return sums if is_compiled else sums[0]
