"""MaskConstraint, which keeps zeros at zero: on a weight, on its average, and beside another constraint."""

import keras
import numpy as np

from keras_kd.compression.pruning.mask_constraint import MaskConstraint

MASK = np.array([[True, False], [False, True], [True, True]])


def built(constraint=None, **options):
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(2, name="head", kernel_constraint=constraint)]
    )
    model.compile(keras.optimizers.SGD(0.1, **options), "mse")
    model.optimizer.build(model.trainable_variables)
    return model


def test_set_mask_makes_zeros_without_a_sign_and_the_next_call_keeps_them():
    model = built()
    kernel = model.get_layer("head").kernel
    kernel.assign(-np.ones((3, 2)))
    constraint = MaskConstraint(kernel, model)
    constraint.set_mask(MASK)
    np.testing.assert_array_equal(kernel, np.where(MASK, -1.0, 0.0))
    assert not np.signbit(kernel.numpy()[~MASK]).any()
    grown = np.array(constraint(keras.ops.full((3, 2), -2.0)))
    np.testing.assert_array_equal(grown, np.where(MASK, -2.0, 0.0))
    assert not np.signbit(grown[~MASK]).any()


def test_nan_of_a_pruned_weight_becomes_zero_and_others_stay_visible():
    model = built()
    constraint = MaskConstraint(model.get_layer("head").kernel, model)
    constraint.set_mask(MASK)
    np.testing.assert_array_equal(constraint(keras.ops.full((3, 2), np.nan)), np.where(MASK, np.nan, 0.0))


def test_a_constraint_of_the_user_sees_masked_weights_and_is_put_back():
    own = keras.constraints.UnitNorm(axis=0)
    model = built(own)
    kernel = model.get_layer("head").kernel
    constraint = MaskConstraint(kernel, model)
    constraint.attach()
    constraint.set_mask(MASK)
    found = np.array(kernel.constraint(keras.ops.full((3, 2), 3.0)))
    np.testing.assert_allclose(found, np.where(MASK, np.sqrt(0.5), 0.0), rtol=1e-6)
    constraint.detach()
    assert kernel.constraint is own


def test_moving_averages_of_the_optimizer_are_masked():
    model = built(use_ema=True)
    kernel = model.get_layer("head").kernel
    constraint = MaskConstraint(kernel, model)
    [average] = [v for v in model.optimizer.variables if v.shape == (3, 2) and "average" in v.path]
    average.assign(np.ones((3, 2)))
    constraint.set_mask(MASK)
    np.testing.assert_array_equal(average, MASK.astype(float))
    average.assign(np.ones((3, 2)))
    constraint(kernel.value)  # as the optimizer does
    np.testing.assert_array_equal(average, MASK.astype(float))


def test_a_weight_that_the_optimizer_does_not_know_has_no_average():
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(2, name="frozen"), keras.layers.Dense(2, name="head")]
    )
    model.compile(keras.optimizers.SGD(0.1, use_ema=True), "mse")
    model.get_layer("frozen").trainable = False
    model.optimizer.build(model.trainable_variables)
    model.get_layer("frozen").trainable = True
    constraint = MaskConstraint(model.get_layer("frozen").kernel, model)
    constraint.set_mask(np.zeros((3, 2), bool))
    assert not np.array(model.get_layer("frozen").kernel).any()
