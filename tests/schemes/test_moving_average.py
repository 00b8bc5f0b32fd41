"""A frozen copy of a model, and how its weights follow."""

import keras
import numpy as np
import pytest

from keras_kd.schemes.moving_average import copy_of, move_average
from tests.distillation.conftest import VECTORS, distance, perceptron, weights_of


class Subclassed(keras.Model):
    def __init__(self, units=3, **options):
        super().__init__(**options)
        self.units, self.head = units, keras.layers.Dense(units)

    def build(self, input_shape):
        self.head.build(input_shape)
        self.built = True

    def call(self, x):
        return self.head(x)

    def get_config(self):
        return {**super().get_config(), "units": self.units}


class Untold(keras.Model):
    """Says nothing of what it was made of."""

    def __init__(self, units):
        super().__init__()
        self.head = keras.layers.Dense(units)

    def call(self, x):
        return self.head(x)


def subclassed():
    model = Subclassed(name="own")
    model(VECTORS)
    return model


class Counter(keras.layers.Layer):
    def build(self, input_shape):
        self.count = self.add_weight(shape=(), dtype="int32", initializer="zeros", trainable=False)

    def call(self, x):
        return x


def counting():
    """Has a counter, a seed and BatchNorm."""
    norm, drop = keras.layers.BatchNormalization(), keras.layers.Dropout(0.5)
    return keras.Sequential([keras.Input((4,)), norm, drop, Counter(), keras.layers.Dense(3)])


@pytest.mark.parametrize("make", [lambda: perceptron(5), subclassed])
def test_a_copy_answers_the_same_and_is_frozen(make):
    model = make()
    copy = copy_of(model, "copy")
    np.testing.assert_array_equal(copy(VECTORS), model(VECTORS))
    assert (copy.name, copy.trainable_weights) == ("copy", [])
    assert len(model.trainable_weights) > 0
    assert not {id(w) for w in copy.weights} & {id(w) for w in model.weights}


def test_floats_are_averaged_and_whole_numbers_copied():
    keras.utils.set_random_seed(0)
    model = counting()
    copy = copy_of(model, "copy")
    before, now = weights_of(copy), [w + 4 for w in weights_of(model)]
    model.set_weights(now)
    move_average(copy, model, 0.75)
    expected = [
        b if w.dtype == "int32" else 0.75 * a + 0.25 * b
        for a, b, w in zip(before, now, copy.weights, strict=True)
    ]
    assert distance(expected, weights_of(copy)) < 1e-6
    assert int(copy.layers[2].count) == 4
    assert distance(now, weights_of(model)) == 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: keras.Sequential([keras.layers.Dense(3)]), "has no weights yet"),
        (lambda: untold(), "needs `get_config`"),
    ],
)
def test_what_cannot_be_copied(make, message):
    with pytest.raises(ValueError, match=message):
        copy_of(make(), "copy")


def untold():
    model = Untold(3)
    model(VECTORS)
    return model
