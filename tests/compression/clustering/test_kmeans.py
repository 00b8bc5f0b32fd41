"""k-means of numbers, against the definition of it and the start of tensorflow-model-optimization."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_kd.compression.clustering.centroids import assign
from keras_kd.compression.clustering.kmeans import converge, find_seeds, midpoints

random = np.random.default_rng(0)
VALUES = random.normal(size=3000).astype("float32")


def error(values, centroids):
    return float(((values - centroids[assign(values, centroids)]) ** 2).mean())


@pytest.mark.parametrize("count", [2, 16, 100])
def test_seeds_are_those_of_tfmot(count, tfmot):
    from tensorflow_model_optimization.python.core.clustering.keras import clustering_centroids as theirs

    start = theirs.KmeansPlusPlusCentroidsInitialisation(tf.constant(VALUES), count)
    np.testing.assert_array_equal(find_seeds(VALUES, count), start.get_cluster_centroids())


def test_seeds_of_few_values_are_all_of_them():
    np.testing.assert_array_equal(find_seeds(VALUES[:5], 8), VALUES[:5])


def test_seeds_of_many_values_are_of_a_sample_that_covers_them():
    many = np.concatenate([np.linspace(-1, 1, 300_000), [50.0] * 300_000]).astype("float32")
    seeds = find_seeds(random.permutation(many), 4)
    assert set(seeds) <= set(many)
    assert (seeds == 50).sum() == 1
    assert np.sort(seeds)[:3].std() > 0.3


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.integers(2, 12), st.booleans())
def test_no_value_is_nearer_to_another_centroid_and_centroids_are_means(seed, count, with_zero):
    values = np.random.default_rng(seed).normal(0.3, 1, 200).astype("float32")
    start = np.append(values[: count - 1], 0.0 if with_zero else values[count])
    found = converge(values, start, with_zero)
    nearest = np.abs(values[:, None].astype("float64") - found).argmin(1)
    np.testing.assert_array_equal(assign(values, found), nearest)
    for i, centroid in enumerate(found):
        if with_zero and centroid == 0:
            continue
        assert centroid == pytest.approx(values[nearest == i].astype("float64").mean(), abs=1e-6)
    assert not with_zero or 0 in found
    assert error(values, found) <= error(values, np.unique(start)) + 1e-9


def test_the_error_is_near_the_best_there_is():
    """Of 16 levels for normal weights, Lloyd-Max quantization has an error of 0.009497 (Max 1960)."""
    values = random.normal(size=200_000).astype("float32")
    assert error(values, converge(values, find_seeds(values, 16), False)) < 0.0098


def test_centroids_without_values_stay():
    assert converge(np.ones(5, "float32"), np.array([1.0, 9.0]), False).tolist() == [1, 9]


def test_a_value_in_the_middle_belongs_to_the_lower_centroid():
    assert converge(np.array([0, 1, 2], "float32"), np.array([0.0, 2.0]), False).tolist() == [0.5, 2]


def test_midpoints_are_exact():
    big = np.array([1.0, np.nextafter(np.float32(1), np.float32(2))], "float32")
    assert big[0] < midpoints(big)[0] < big[1]
