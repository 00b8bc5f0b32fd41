"""Creating variables before the first step, so that the step is traced only once."""

import keras
import tensorflow as tf

from keras_kd.keras_internals import build_on_batch, compiled_metrics, strategy_of
from keras_kd.tensors import Tensors


def make_variables(model: keras.Model, batch: Tensors) -> None:
    """Create the variables of a compiled model's metrics and optimizer.

    If the first step created them, TensorFlow would trace it a second time.

    Args:
        model: The model.
        batch: A batch of data, or what `tf.data.Dataset.element_spec` says of it; metrics are built on dense
            tensors only.
    """
    dense = tf.Tensor, tf.TensorSpec
    tensors = all(part is None or isinstance(part, dense) for part in keras.tree.flatten(batch))
    # Keras logs the loss of each of several outputs by a metric.
    if tensors and (compiled_metrics(model) or keras.tree.is_nested(getattr(model, "loss", None))):
        build_on_batch(model, batch)
    elif not model.optimizer.built and strategy_of(model) is None:
        model.optimizer.build(model.trainable_variables)
