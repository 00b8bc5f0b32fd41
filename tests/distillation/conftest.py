import keras
import numpy as np
import pytest


def convnet(filters, name="net", activation=None, classes=10, dropout=0.0):
    """Maps, BatchNorm, a pool and a head, all named."""
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(filters, 3, strides=2, padding="same", name="block1")(inputs)
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = keras.layers.ReLU(name="block2")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    x = keras.layers.Dropout(dropout)(x)
    outputs = keras.layers.Dense(classes, activation=activation, name="head")(x)
    return keras.Model(inputs, outputs, name=name)


def cross_entropy():
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def weights_of(model):
    return [np.array(w) for w in model.get_weights()]


def distance(before, after):
    return max(float(np.abs(a - b).max()) for a, b in zip(before, after, strict=True))


@pytest.fixture
def batch():
    random = np.random.default_rng(0)
    return random.random((32, 8, 8, 1)).astype("float32"), random.integers(0, 10, 32)
