"""From a loss to new weights: what ends a training step."""

import warnings

import keras
import tensorflow as tf

from keras_kd.tensors import Tensor


def scaled_loss(model: keras.Model, loss: Tensor) -> Tensor:
    """A loss as the optimizer differentiates it, within the tape: large enough for float16."""
    return model.optimizer.scale_loss(loss)


def update_weights(model: keras.Model, tape: tf.GradientTape, scaled: Tensor) -> None:
    """Move a model's trainable weights down the gradient of what `scaled_loss` returned in a tape."""
    weights = model.trainable_weights
    if weights:
        model.optimizer.apply_gradients(zip(tape.gradient(scaled, weights), weights, strict=True))
    else:
        warnings.warn("The model does not have any trainable weights.", stacklevel=3)
