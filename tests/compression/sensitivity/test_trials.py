"""Weights are changed, and put back."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_kd.compression.sensitivity.choosing import choose_yardstick
from keras_kd.compression.sensitivity.trials import Trials

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(2, 3, size=(60, 4)).astype("float32")


def model():
    norm = layers.BatchNormalization(name="norm")
    return keras.Sequential([keras.Input((4,)), norm, layers.Dense(3, name="head")], name="net")


def trials(made, recalibrate=False):
    labels = np.asarray(made(X)).argmax(-1)
    return Trials(made, choose_yardstick(made, (X, labels), None, None, 32), recalibrate=recalibrate)


@pytest.mark.parametrize("recalibrate", [False, True])
def test_weights_are_put_back(recalibrate):
    made = model()
    before = [np.array(weight) for weight in made.get_weights()]
    tried = trials(made, recalibrate)
    baseline = tried.score()
    head = made.get_layer("head")
    wrong = np.asarray(head.kernel)[:, ::-1]
    assert tried.score([(head.kernel, wrong)]) < baseline
    for weight, was in zip(made.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, was)
    assert tried.score() == baseline


def test_weights_are_put_back_after_an_error(monkeypatch):
    made = model()
    tried = trials(made)
    head = made.get_layer("head")
    before = np.array(head.kernel)
    with pytest.raises(ValueError, match="shape"):
        tried.score([(head.kernel, 0 * before), (head.bias, np.zeros(7))])
    np.testing.assert_array_equal(head.kernel, before)


def test_another_model_is_scored_alike():
    tried, other = trials(model()), model()
    for layer in other.layers:
        layer.set_weights([np.zeros_like(weight) for weight in layer.get_weights()])
    assert tried.score(other) < tried.score() == 1.0


def test_a_model_without_statistics_needs_none():
    made = keras.Sequential([keras.Input((4,)), layers.Dense(3)])
    assert trials(made, recalibrate=True).score() == 1.0
