"""The first centroids and assignments, beside those of tensorflow-model-optimization."""

import numpy as np
import pytest
import tensorflow as tf

from keras_kd.compression.clustering.centroids import assign, find_centroids

random = np.random.default_rng(0)
WEIGHTS = {
    "normal": random.normal(0, 0.3, 2000),
    "uniform": random.uniform(-0.2, 0.7, 500),
    "negative": -random.random(300) - 0.1,
    "skewed": random.normal(0.1, 0.05, 800) ** 3,
}
WEIGHTS = {name: values.astype("float32") for name, values in WEIGHTS.items()}
KINDS = {"linear": "LINEAR", "density": "DENSITY_BASED"}


def pruned(values):
    return np.where(np.abs(values) < np.median(np.abs(values)), 0, values).astype("float32")


def theirs(values, clusters, kind, keep_zeros):
    from tensorflow_model_optimization.python.core.clustering.keras import (
        cluster_config,
        clustering_algorithm,
        clustering_centroids,
    )

    kind = cluster_config.CentroidInitialization[KINDS[kind]]
    make = clustering_centroids.CentroidsInitializerFactory.get_centroid_initializer(kind)
    centroids = make(tf.constant(values), clusters, preserve_sparsity=keep_zeros).get_cluster_centroids()
    algorithm = clustering_algorithm.ClusteringAlgorithm(tf.Variable(centroids))
    return centroids.numpy(), algorithm.get_pulling_indices(tf.constant(values)).numpy()


@pytest.mark.parametrize("keep_zeros", [False, True], ids=["zeros are weights", "zeros are kept"])
@pytest.mark.parametrize("clusters", [3, 8, 16])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("weights", WEIGHTS)
def test_centroids_and_assignments_are_those_of_tfmot(weights, kind, clusters, keep_zeros, tfmot):
    values = pruned(WEIGHTS[weights]) if keep_zeros else WEIGHTS[weights]
    expected, indices = theirs(values, clusters, kind, keep_zeros)
    found = find_centroids(values, clusters, kind, keep_zeros)
    mine, other = found[assign(values, found)], expected[indices]
    # Where two of their centroids are the same but for rounding, here there is one.
    np.testing.assert_allclose(mine, other, atol=2e-4 * np.abs(values).max())
    np.testing.assert_allclose(found, np.unique(expected)[_nearest(found, expected)], atol=1e-4)
    assert not keep_zeros or (mine[values == 0] == 0).all()


def _nearest(found, expected):
    return np.abs(found[:, None] - np.unique(expected)).argmin(1)


@pytest.mark.parametrize("kind", ["kmeans++", *KINDS])
@pytest.mark.parametrize("with_zero", [False, True])
def test_values_that_are_few_are_their_own_centroids(kind, with_zero):
    values = np.array([3, -1, 3, 0.5, -1] * 9, "float32")
    found = find_centroids(values, 4, kind, with_zero)
    assert found.tolist() == ([-1, 0, 0.5, 3] if with_zero else [-1, 0.5, 3])
    assert len(find_centroids(values, 3, kind, with_zero)) <= 3


@pytest.mark.parametrize("kind", ["kmeans++", *KINDS])
def test_zeros_alone_have_one_centroid(kind):
    assert find_centroids(np.zeros(50, "float32"), 4, kind, True).tolist() == [0]


def test_kmeans_has_a_smaller_error_than_what_it_starts_from():
    values = WEIGHTS["normal"]
    errors = {}
    for kind in ["kmeans++", *KINDS]:
        found = find_centroids(values, 8, kind, False)
        errors[kind] = ((values - found[assign(values, found)]) ** 2).mean()
    assert errors["kmeans++"] < 0.9 * min(errors["linear"], errors["density"])


def test_of_two_centroids_equally_near_the_lower_one_counts():
    assert assign(np.array([0.5, 1.5], "float32"), np.array([0.0, 1, 2], "float32")).tolist() == [0, 1]
