"""A model that notes the samples that it is trained on."""

import keras
import tensorflow as tf


class Reader(keras.Model):
    """Compile it with `run_eagerly=True`."""

    def __init__(self):
        super().__init__()
        self.read = []

    def call(self, x):
        return x

    def train_step(self, data):
        self.read.append(keras.tree.flatten(data)[0].numpy().ravel().tolist())
        return {"loss": tf.constant(0.0)}
