"""Weights change clusters: each goes to the centroid nearest to what its own steps made of it."""

import numpy as np
import pytest
import tensorflow as tf

from keras_kd.compression.clustering.reassignment import Clusters, find_nearest, reassign

random = np.random.default_rng(0)
SHAPE = (6, 5, 4)


@pytest.mark.parametrize("clusters", [2, 3, 4, 5, 16, 21])
@pytest.mark.parametrize("groups", [(1, 1, 1), (1, 1, 4), (1, 5, 1), (6, 1, 4)], ids=str)
def test_the_nearest_is_found_within_its_group(clusters, groups):
    values = random.normal(size=SHAPE).astype("float32")
    table = np.sort(random.normal(size=(np.prod(groups), clusters)).astype("float32"))
    table[0, -1] = np.inf
    found = find_nearest(tf.constant(values), tf.constant(table), groups).numpy()
    group = np.broadcast_to(np.arange(len(table)).reshape(groups), SHAPE)
    expected = np.abs(values[..., None] - table[group]).argmin(-1)
    np.testing.assert_array_equal(found, group * clusters + expected)


def test_of_two_equally_near_it_is_the_lower():
    found = find_nearest(tf.constant([0.0, 1e-6, 9.0]), tf.constant([[-1.0, 1.0]]), (1,))
    assert found.numpy().tolist() == [0, 1, 1]


def clusters_of(index, centroids, keep_zeros=False):
    index, centroids = np.int32(index), np.float32(centroids)
    counts = np.bincount(index, minlength=len(centroids)) * ~(keep_zeros & (centroids == 0))
    return Clusters(*map(tf.constant, (index, centroids, np.float32(counts), centroids[index])))


def changed(w, clusters, keep_zeros=False, is_pruned=False, groups=(1,), is_compiled=False):
    function = tf.function(reassign, jit_compile=is_compiled)
    w = tf.constant(np.float32(w))
    found = function(w, clusters, groups, keep_zeros, is_pruned, is_compiled)
    return Clusters(*(value.numpy() for value in found))


def stepped(clusters, steps, keep_zeros=False, **options):
    centroids, places = map(np.array, (clusters.centroids, clusters.places))
    return changed(centroids[places] + np.float32(steps), clusters, keep_zeros, **options)


@pytest.mark.parametrize("is_compiled", [False, True])
def test_a_weight_leaves_when_its_own_steps_have_carried_it_past_the_middle(is_compiled):
    clusters = clusters_of([0, 0, 0, 1], [0, 1])
    for places in ([0, 0, 0, 1], [0, 0, 0, 1], [1, 0, 0, 1]):  # the middle is 0.54, 0.58, 0.63
        clusters = stepped(clusters, [0.25, 0, 0, 0], is_compiled=is_compiled)
        assert clusters.places.tolist() == places
    np.testing.assert_allclose(clusters.originals, [0.75, 0, 0, 1], atol=1e-6)
    np.testing.assert_allclose(clusters.centroids, [0.25, 1], atol=1e-6)
    assert clusters.counts.tolist() == [2, 2]


def test_centroids_that_pass_each_other_stay_sorted():
    clusters = changed([2, 2, 1, 1], clusters_of([0, 0, 1, 1], [0, 1.5]))
    assert clusters.centroids.tolist() == [1, 2]
    assert clusters.places.tolist() == [1, 1, 0, 0]


@pytest.mark.parametrize("keep_zeros", [False, True])
def test_zeros_stay_only_if_they_are_to(keep_zeros):
    clusters = clusters_of([0, 1, 1, 2, 2], [-1, 0, 1], keep_zeros)
    found = stepped(clusters, [0, 0.9, 0.9, -0.7, 0.7], keep_zeros)
    if keep_zeros:
        assert found.places.tolist() == [0, 1, 1, 1, 2]  # another has joined them
        assert (found.centroids[1], found.counts[1]) == (0, 0)
        again = stepped(found, [0, 0.9, 0, 0.9, 0], keep_zeros)
        assert again.places.tolist() == [0, 1, 1, 2, 2]  # and leaves again
    else:
        assert (found.originals[1:3] > 0.8).all()


def test_weights_that_are_pruned_become_zero_and_do_not_count():
    clusters = clusters_of([0, 2, 2, 2], [-1, 0, 1], True)
    found = changed([-1, 0, 1.2, 1.4], clusters, True, is_pruned=True)
    assert found.places.tolist() == [0, 1, 2, 2]
    np.testing.assert_allclose(found.centroids, [-1, 0, 1.3], atol=1e-6)


def test_a_cluster_that_has_lost_its_weights_stays_and_one_that_is_missing_too():
    found = changed([1, 1, 3], clusters_of([0, 0, 1], [0, 5, np.inf]))
    np.testing.assert_allclose(found.centroids, [1, 3, np.inf])
    lost = changed([-1, -1, 2.9], Clusters(*found[:3], np.float32([1, 1, -4])))
    assert lost.places.tolist() == [0, 0, 0]
    again = changed(np.full(3, lost.centroids[0]), lost)
    assert again.centroids[1:].tolist() == lost.centroids[1:].tolist()
    assert np.isfinite(again.centroids[:2]).all()
