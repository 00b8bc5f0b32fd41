import keras
import numpy as np
import pytest

CLASSES = 5
X = np.random.default_rng(0).random((40, 6, 6, 1)).astype("float32")
Y = np.random.default_rng(1).integers(0, CLASSES, 40)


def classifier(activation=None, name="teacher"):
    layers = [
        keras.Input((6, 6, 1)),
        keras.layers.Conv2D(3, 3, name="features"),
        keras.layers.Flatten(),
        keras.layers.Dense(CLASSES, name="logits", kernel_initializer=keras.initializers.RandomNormal(0, 1)),
    ]
    layers += [keras.layers.Activation(activation)] if activation else []
    return keras.Sequential(layers, name=name)


@pytest.fixture
def teacher():
    return classifier()


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


class Told:
    """A teacher that is no Keras model."""

    fingerprint = "told"

    def __init__(self, function):
        self.function, self.calls = function, 0

    def answer(self, batch):
        self.calls += 1
        found = self.function(batch)
        return found if isinstance(found, dict) else {"output": found}
