"""Centroids move by the mean step of their weights, whether XLA compiles that or not."""

import numpy as np
import pytest
import tensorflow as tf

from keras_kd.compression.clustering.centroid_steps import move_centroids, sum_by

random = np.random.default_rng(0)
INDEX = random.integers(0, 3, (40, 30)).astype("int32")
STEPS = random.normal(size=(40, 30)).astype("float32")
CENTROIDS = np.float32([-1, 0.5, 2, np.inf])  # the last has no weights


@pytest.mark.parametrize("is_compiled", [False, True])
def test_a_centroid_moves_by_the_mean_step_of_weights_that_count(is_compiled):
    moving = tf.function(move_centroids, jit_compile=is_compiled)
    w = CENTROIDS[INDEX] + STEPS
    kept = random.random(w.shape) < 0.5
    counts = sum_by(INDEX, tf.ones_like(w), 4, is_compiled).numpy()
    assert counts.tolist() == [*np.bincount(INDEX.ravel()), 0]
    for is_pruned, given in ((False, w), (True, np.where(kept, w, 0))):
        counted = kept if is_pruned else np.ones_like(kept)
        found = moving(given, INDEX, CENTROIDS, counts * np.float32([1, 0, 1, 1]), is_pruned, is_compiled)
        means = [STEPS[counted & (i == INDEX)].mean() for i in (0, 2)]
        np.testing.assert_allclose(found, [means[0] - 1, 0.5, 2 + means[1], np.inf], atol=1e-6)
