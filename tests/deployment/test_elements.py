"""Batches and samples: which part is inputs, and which is labels."""

import keras
import numpy as np
import pytest

from keras_kd.deployment.elements import inputs_and_labels, is_sample
from keras_kd.deployment.source.serving import make_serving
from tests.deployment import small

X = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
Y = np.arange(8) % 3


@pytest.fixture(scope="module")
def one():
    return make_serving(small.dense()).data_inputs()


@pytest.fixture(scope="module")
def two():
    return make_serving(small.lists()).data_inputs()


def is_split(element, inputs):
    """Whether the first part of an element is read as the inputs, and the second as the labels."""
    x, y = inputs_and_labels(element, inputs)
    return x is element[0] and y is element[1]


@pytest.mark.parametrize(
    "element",
    [
        (X, Y),
        [X, Y],
        [X, Y, np.ones(8)],
        [X, X],
        [X, [Y, Y]],
        [X, {"label": Y}],
        [X[0], 2],
        [X[0], np.array(2)],
    ],
)
def test_inputs_with_labels(element, one):
    assert is_split(element, one)


@pytest.mark.parametrize("element", [X, [X], [X[0], X[1]], [X[0], X[1], X[2]], X.tolist(), [[1.0] * 4] * 2])
def test_inputs_alone(element, one):
    x, y = inputs_and_labels(element, one)
    assert x is element
    assert y is None


def test_several_inputs(two):
    for alone in ([X, -X], [X[0], -X[0]]):
        x, y = inputs_and_labels(alone, two)
        keras.tree.map_structure(np.testing.assert_array_equal, x, alone)
        assert y is None
    x, y = inputs_and_labels({"zebra": X, "ant": Y}, two)
    assert x["zebra"] is X
    assert x["ant"] is Y
    assert y is None
    for element in ([[X, -X], Y], [{"zebra": X, "ant": X}, Y], [[X, -X], [Y, Y], [Y, Y]]):
        assert is_split(element, two)
    wrong = [X, -X, Y]
    assert inputs_and_labels(wrong, two) == (wrong, None)  # the check of arrays says why


def test_a_list_that_does_not_fit_stays_a_list(one):
    wrong = [X[:, :2], Y]
    assert inputs_and_labels(wrong, one) == (wrong, None)
    assert inputs_and_labels([X, Y], None)[1] is None


def test_sizes_that_are_free():
    image = keras.Input((None, None, 1))
    inputs = make_serving(keras.Model(image, image * 1.0)).data_inputs()
    images, maps = np.zeros((5, 6, 7, 1)), np.zeros((5, 6, 7, 1))
    assert is_split([images, maps], inputs)
    assert inputs_and_labels([images[0], images[1]], inputs)[1] is None
    assert is_sample(images[0], inputs)
    assert not is_sample(images, inputs)
    assert not is_sample([images, Y], inputs)
