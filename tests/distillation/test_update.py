"""From a loss to new weights, as Keras's own step does."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_kd.distillation.update import scaled_loss, update_weights
from tests.distillation.conftest import VECTORS, distance, perceptron, weights_of


@pytest.mark.parametrize("scale", [False, True])
def test_the_weights_move_down_the_gradient_whatever_the_scale(scale):
    model = perceptron(5)
    before = weights_of(model)
    model.compile(keras.optimizers.SGD(0.5))
    if scale:
        model.optimizer = keras.optimizers.LossScaleOptimizer(model.optimizer)
    with tf.GradientTape(persistent=True) as tape:
        loss = tf.reduce_mean(model(VECTORS) ** 2)
        scaled = scaled_loss(model, loss)
    gradients = tape.gradient(loss, model.trainable_weights)
    assert (float(scaled) > 1000 * float(loss)) == scale
    update_weights(model, tape, scaled)
    expected = [w - 0.5 * np.array(g) for w, g in zip(before, gradients, strict=True)]
    assert distance(expected, weights_of(model)) < 1e-6


def test_a_frozen_model_stays_as_it_is():
    model = perceptron(5)
    model.trainable = False
    model.compile("sgd")
    with tf.GradientTape() as tape:
        scaled = scaled_loss(model, tf.reduce_mean(model(VECTORS)))
    with pytest.warns(UserWarning, match="does not have any trainable weights"):
        update_weights(model, tape, scaled)
