"""Models for the tests of the bridge, and what must hold of a model and those made from it."""

import keras
import numpy as np
import tensorflow as tf
import tf_keras

import keras_kd as kd

L = keras.layers
RANDOM = np.random.default_rng(0)


def randomized(model):
    """The model with weights that are no initial values."""
    for weight in model.weights:
        weight.assign(RANDOM.uniform(0.2, 0.9, weight.shape))
    return model


def normal(*shape):
    return tf.constant(RANDOM.standard_normal((2, *shape)), "float32")


def assert_same(one, other, inputs, atol=1e-5):
    expected, found = one(inputs, training=False), other(inputs, training=False)
    for a, b in zip(keras.tree.flatten(expected), keras.tree.flatten(found), strict=True):
        np.testing.assert_allclose(np.asarray(b, "float32"), np.asarray(a, "float32"), atol=atol)


def both_ways(model, inputs, atol=1e-5):
    """The tf_keras model and the Keras 3 one made from it; all three compute the same."""
    over = kd.tfmot.to_tf_keras(model)
    back = kd.tfmot.from_tf_keras(over)
    assert_same(model, over, inputs, atol)
    assert_same(model, back, inputs, atol)
    return over, back


class Scale(L.Layer):
    def __init__(self, factor=2.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def build(self, shape):
        self.bias = self.add_weight(shape=(shape[-1],))

    def call(self, inputs):
        return self.factor * inputs + self.bias

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


class TfScale(tf_keras.layers.Layer):
    def __init__(self, factor=2.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def build(self, shape):
        self.bias = self.add_weight("bias", shape=(shape[-1],))

    def call(self, inputs):
        return self.factor * inputs + self.bias

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


class Subclassed(keras.Model):
    def call(self, inputs):
        return inputs
