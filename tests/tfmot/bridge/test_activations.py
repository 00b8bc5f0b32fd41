"""Activation functions of one library as the other takes them."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from keras_kd.tfmot.bridge.activations import (
    SHARED,
    equal_pairs,
    is_keras_activation,
    tf_keras_hard_sigmoid,
    translate_activation,
)
from keras_kd.tfmot.bridge.directions import direction_from_tf_keras, direction_to_tf_keras

X = tf.linspace([-4.0], [4.0], 41, axis=1)


@pytest.mark.parametrize("way", [direction_to_tf_keras, direction_from_tf_keras], ids=["over", "back"])
def test_pairs_compute_the_same(way):
    direction = way()
    pairs = equal_pairs(direction)
    assert len(pairs) == len(SHARED) + 1
    for source, target in pairs:
        assert translate_activation(source, direction) is target
        np.testing.assert_allclose(target(X), source(X), atol=1e-6, err_msg=source.__name__)


def test_hard_sigmoid_is_another_function_in_each_library():
    assert np.abs(keras.activations.hard_sigmoid(X) - tf_keras.activations.hard_sigmoid(X)).max() > 0.01
    back = translate_activation(tf_keras.activations.hard_sigmoid, direction_from_tf_keras())
    assert back is tf_keras_hard_sigmoid
    assert translate_activation(back, direction_to_tf_keras()) is tf_keras.activations.hard_sigmoid


def test_an_activation_that_tf_keras_lacks_is_found_again_by_a_name_of_its_own():
    kept = translate_activation(keras.activations.hard_silu, direction_to_tf_keras())
    saved = tf_keras.activations.serialize(tf_keras.layers.Activation(kept).activation)
    assert saved != "hard_silu"
    found = tf_keras.activations.deserialize(saved)
    np.testing.assert_array_equal(found(X), keras.activations.hard_silu(X))


def test_functions_of_ones_own_stay():
    def own(x):
        return x

    assert translate_activation(own, direction_to_tf_keras()) is own
    assert is_keras_activation(keras.activations.relu)
    assert not any(map(is_keras_activation, (own, tf_keras.activations.relu, keras.layers.ReLU())))
