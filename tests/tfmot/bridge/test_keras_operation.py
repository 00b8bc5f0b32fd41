"""The layer of tf_keras that calls operations of Keras 3: it saves, loads, trains, and is not pruned."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import keras_kd as kd
from keras_kd.tfmot.bridge.foreign_operations import call_operation
from keras_kd.tfmot.bridge.graphs import Slot
from tests.tfmot.bridge.models import assert_same, normal, randomized

L = keras.layers


@pytest.mark.slow
def test_weights_of_called_layers_are_trained_and_come_back():
    model = keras.Sequential([keras.Input((4,)), L.RMSNormalization(name="norm"), L.Dense(2)])
    over = kd.tfmot.to_tf_keras(model)
    over.compile("sgd", "mse")
    over.fit(normal(4), tf.ones((2, 2)), verbose=0)
    back = kd.tfmot.from_tf_keras(over)
    assert np.all(back.get_layer("norm").scale.numpy() != 1.0)
    np.testing.assert_array_equal(model.get_layer("norm").scale, 1.0)  # the original has weights of its own
    assert_same(over, back, normal(4))
    frozen = kd.tfmot.to_tf_keras(model)
    frozen.get_layer("norm").trainable = False
    assert len(frozen.trainable_weights) == 2


@pytest.mark.slow
def test_a_rebuilt_model_saves_and_loads(tmp_path):
    inputs = keras.Input((6, 4))
    x = L.Dense(4, activation="hard_sigmoid")(inputs)
    x = L.RMSNormalization()(keras.ops.mean(x * 2.0, axis=1))
    model = randomized(keras.Model(inputs, x))
    over = kd.tfmot.to_tf_keras(model)
    over.save(tmp_path / "model.keras")
    loaded = tf_keras.models.load_model(tmp_path / "model.keras")
    assert_same(model, loaded, normal(6, 4))
    assert_same(model, kd.tfmot.from_tf_keras(loaded), normal(6, 4))


def test_a_called_layer_runs_with_the_flag_and_the_weights_of_tf_keras():
    norm = L.BatchNormalization(name="norm")
    norm.build((None, 3))
    layer = call_operation(norm, ((Slot(0),), {}))
    x = tf.constant([[1.0, 2.0, 3.0], [3.0, 2.0, 5.0]])
    np.testing.assert_allclose(layer(x), x, rtol=1e-3)  # with the moving statistics, which are 0 and 1
    np.testing.assert_allclose(layer(x, training=True), [[-1, 0, -1], [1, 0, 1]], atol=2e-3)
    assert [len(layer.trainable_weights), len(layer.non_trainable_weights)] == [2, 2]
    assert layer.get_prunable_weights() == []
    loaded = type(layer).from_config(layer.get_config())
    assert loaded.operation is not norm
    assert [weight.shape for weight in loaded.weights] == [(3,)] * 4
