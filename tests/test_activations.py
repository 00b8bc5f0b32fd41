"""What made a signal, told from a trace and from values."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_kd.activations import activation_in, activation_of, is_distribution, is_gated, is_linear
from keras_kd.signals.listing import trace_taps


def reshaped_softmax(x):
    return layers.Reshape((3, 1))(layers.Softmax()(x[:, :3]))


def averaged_sigmoid(x):
    return layers.Average()([x, layers.Activation("sigmoid")(x)])


# The last layers of a model: activation, linear, gated.
MADE = {
    "dense": (lambda x: layers.Dense(3)(x), None, True, False),
    "dense without a bias": (lambda x: layers.Dense(3, use_bias=False)(x), None, True, False),
    "convolution": (lambda x: layers.Conv1D(3, 1)(layers.Reshape((2, 2))(x)), None, True, False),
    "softmax": (lambda x: layers.Dense(3, "softmax")(x), "softmax", False, False),
    "softmax, reshaped": (
        lambda x: layers.Reshape((3, 1))(layers.Softmax()(x[:, :3])),
        "softmax",
        False,
        False,
    ),
    "sigmoid": (lambda x: layers.Dense(3, "sigmoid")(x), "sigmoid", False, True),
    "relu": (lambda x: layers.Dense(3, "relu")(x), None, False, False),
    "average of sigmoids": (
        lambda x: layers.Average()([x, layers.Activation("sigmoid")(x)]),
        None,
        False,
        True,
    ),
    "logarithm of a sigmoid": (
        lambda x: keras.ops.log(layers.Activation("sigmoid")(x)),
        None,
        False,
        False,
    ),
    "dense after a sigmoid": (lambda x: layers.Dense(2)(layers.Activation("sigmoid")(x)), None, True, False),
}


@pytest.mark.parametrize(("build", "activation", "linear", "gated"), MADE.values(), ids=MADE)
def test_what_made_a_traced_signal(build, activation, linear, gated):
    inputs = keras.Input((4,))
    traced = trace_taps(keras.Model(inputs, build(inputs)), {})
    found = activation_of(traced.outputs), is_linear(traced.outputs), is_gated(traced.outputs)
    assert found == (activation, linear, gated)


@pytest.mark.parametrize(
    ("values", "activation"),
    [
        ([[0.2, 0.8], [1.0, 0.0]], "softmax"),
        ([[0.2, 0.9], [1.0, 0.0]], "sigmoid"),
        ([[0.2, 1.1]], None),
        ([[-0.1, 1.1]], None),
        ([[1.0], [1.0]], "sigmoid"),  # one class is no distribution
        ([[1.0000002], [-1e-6]], "sigmoid"),  # as rounding leaves it
    ],
)
def test_what_made_values(values, activation):
    assert activation_in(np.array(values)) == activation
    assert is_distribution(np.array(values)) is (activation == "softmax")


def test_what_is_no_traced_tensor_was_made_by_nothing_known():
    values = np.ones((2, 3))
    assert (activation_of(values), is_linear(values), is_gated(values)) == (None, False, False)
