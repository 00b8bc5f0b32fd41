"""ShareConstraint: a step of the optimizer becomes one of the centroids, for any size, dtype and average."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_kd.compression.clustering.share_constraint import ShareConstraint, share
from keras_kd.compression.pruning.mask_constraint import MaskConstraint

random = np.random.default_rng(0)


def built(shape=(6, 4), constraint=None, dtype="float32", **options):
    dense = keras.layers.Dense(shape[1], name="head", kernel_constraint=constraint, dtype=dtype)
    model = keras.Sequential([keras.Input(shape[:1]), dense])
    model.compile(keras.optimizers.SGD(0.1, **options), "mse")
    model.optimizer.build(model.trainable_variables)
    return model, model.get_layer("head").kernel


def shared(model, kernel, index, centroids, keep_zeros=True, waits=False):
    constraint = ShareConstraint(kernel, model, len(centroids), keep_zeros, waits)
    constraint.attach()
    constraint.set_sharing(index, np.float32(centroids))
    return constraint


def means(step, index):
    return np.array([step[index == i].mean() for i in range(index.max() + 1)])


@pytest.mark.parametrize("shape", [(6, 4), (300, 256)], ids=["small", "compiled"])
@pytest.mark.parametrize("traced", [False, True], ids=["eager", "traced"])
def test_a_centroid_moves_by_the_mean_step_of_its_weights(shape, traced):
    model, kernel = built(shape)
    index = random.integers(0, 3, shape).astype("int32")
    constraint = shared(model, kernel, index, [-1, 0.5, 2])
    call = tf.function(lambda w: constraint(w)) if traced else constraint
    centroids = np.array([-1, 0.5, 2])
    for _ in range(2):
        step = random.normal(size=shape).astype("float32")
        found = np.array(call(keras.ops.convert_to_tensor(kernel.numpy() + step)))
        centroids = centroids + means(step, index)
        np.testing.assert_allclose(found, centroids[index], atol=1e-5)
        assert len(np.unique(found)) == 3
        kernel.assign(found)
    constraint.detach()
    assert kernel.constraint is None


def test_weights_that_take_no_step_stay_to_the_last_bit():
    model, kernel = built((500, 400))
    index = np.zeros((500, 400), "int32")
    constraint = shared(model, kernel, index, [0.1])
    for _ in range(20):
        kernel.assign(constraint(kernel))
    assert set(kernel.numpy().ravel()) == {np.float32(0.1)}


@pytest.mark.parametrize("keep_zeros", [True, False])
def test_a_centroid_that_is_zero_stays_only_if_it_is_to(keep_zeros):
    model, kernel = built()
    index = random.integers(0, 2, (6, 4)).astype("int32")
    constraint = shared(model, kernel, index, [0, 1], keep_zeros)
    found = np.array(constraint(keras.ops.convert_to_tensor(kernel.numpy() - 1)))
    assert set(found.ravel()) == ({0} if keep_zeros else {-1, 0})
    assert not np.signbit(found[index == 1]).any()
    lost = np.array(constraint(keras.ops.full((6, 4), np.nan)))
    assert np.isnan(lost[index == 1]).all()
    assert np.isnan(lost[index == 0]).all() != keep_zeros


@pytest.mark.parametrize("shape", [(6, 4), (300, 256)], ids=["small", "compiled"])
def test_weights_that_prune_makes_zero_do_not_count(shape):
    model, kernel = built(shape)
    index = random.integers(0, 2, shape).astype("int32")
    share_constraint = shared(model, kernel, index, [1, 2])
    mask = MaskConstraint(kernel, model)
    mask.attach()
    assert share_constraint.is_pruned
    kept = random.random(shape) < 0.5
    assert not share_constraint.has_new_zeros()
    mask.set_mask(kept)
    assert share_constraint.has_new_zeros()
    assert not share_constraint.has_new_zeros()
    step = random.normal(size=shape).astype("float32")
    found = np.array(kernel.constraint(keras.ops.convert_to_tensor(kernel.numpy() + step)))
    moved = np.array([[1, 2][i] + step[kept & (index == i)].mean() for i in (0, 1)])
    np.testing.assert_allclose(found, np.where(kept, moved[index], 0), atol=1e-5)
    mask.set_mask(np.ones(shape, bool))
    assert not share_constraint.has_new_zeros()


def test_moving_averages_are_means_of_averages():
    model, kernel = built(use_ema=True)
    index = random.integers(0, 3, (6, 4)).astype("int32")
    average = ShareConstraint(kernel, model, 3, True, waits=False).average()
    for begins in (True, False):
        given = random.normal(size=(6, 4)).astype("float32")
        average.assign(given)
        if begins:
            constraint = shared(model, kernel, index, [-1, 0, 1])
        else:
            constraint(kernel)
        expected = means(given, index)
        expected[1] = 0
        np.testing.assert_allclose(average, expected[index], atol=1e-6)


def test_nothing_is_shared_while_it_waits():
    model, kernel = built(use_ema=True)
    constraint = ShareConstraint(kernel, model, 2, True, waits=True)
    constraint.attach()
    before = constraint.average().numpy()
    value = random.normal(size=(6, 4)).astype("float32")
    np.testing.assert_array_equal(constraint(keras.ops.convert_to_tensor(value)), value)
    np.testing.assert_array_equal(constraint.average(), before)
    constraint.set_sharing(np.zeros((6, 4), "int32"))
    assert len(np.unique(constraint(keras.ops.convert_to_tensor(value)))) == 1


def test_half_precision_is_summed_in_float32():
    index = tf.zeros((60, 500), "int32")
    w = tf.fill((60, 500), tf.constant(1.25, "bfloat16"))
    moved, centroids = share(w, index, tf.constant([1.0], "bfloat16"), tf.constant([30000.0]), False)
    assert (float(centroids[0]), moved.dtype, float(moved[0, 0])) == (1.25, tf.bfloat16, 1.25)


def test_a_constraint_of_the_user_comes_first():
    own = keras.constraints.NonNeg()
    model, kernel = built(constraint=own)
    index = np.tile(np.array([0, 0, 1, 1], "int32"), (6, 1))
    constraint = shared(model, kernel, index, [1, 2])
    found = np.array(constraint(keras.ops.convert_to_tensor(np.tile(np.float32([-4, 4, 0, 2]), (6, 1)))))
    np.testing.assert_allclose(found[0], [2, 2, 1, 1])
    constraint.detach()
    assert kernel.constraint is own
