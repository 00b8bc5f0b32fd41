"""Layers with kernels: which channels they make, read and pass on."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_kd.compression.shrinking.rules.weighted import spread_equation, why_mixing
from tests.compression.shrinking.grouping import groups_in, kept_in, sequence_model
from tests.compression.shrinking.models import conv, image_model

GROUPS = {
    "depthwise_multiplied": [(8, "stem", "depthwise norm", "head")],
    "depthwise_as_groups": [(8, "stem", "grouped", "after"), (6, "after", "", "head")],
    # Two groups of the convolution keep the same places: half as many to choose from.
    "grouped": [
        (4, "stem", "", "grouped"),
        (6, "grouped", "", "after"),
        (6, "after", "", "head"),
    ],
    "separable": [(8, "stem", "separable", "separable"), (10, "separable", "", "head")],
    "three_dimensions": [(6, "conv", "norm", "up"), (4, "up", "", "head")],
    # The table makes what it looks up, and reads what it is compared with.
    "language_model": [(8, "words dense", "norm", "dense")],
    "einsums": [(8, "join", "", "last"), (6, "last", "", "head")],
}


@pytest.mark.parametrize("name", GROUPS)
def test_kernels_make_and_read_channels(name):
    assert groups_in(name) == GROUPS[name]


def test_an_einsum_of_several_new_axes_keeps_the_first():
    """`split` makes 4 x 6; the 4 lie along the earlier axis, and the 6 are read with them."""
    assert kept_in("einsums") == {"split": "'split' makes channels along several axes"}


def image_activation(x):
    return x - ops.mean(x, axis=(1, 2), keepdims=True)


def fixed_slopes(x):
    return x * ops.cast(ops.arange(x.shape[-1]), x.dtype)


def swapped(x):
    return ops.flip(x, axis=-1)


class Scale:
    """An activation that is an object."""

    def __call__(self, x):
        return x * 2.0


@pytest.mark.parametrize(
    "function",
    [None, keras.activations.relu, keras.activations.gelu, ops.tanh, lambda x: x * ops.sigmoid(x), Scale()],
)
def test_activations_of_each_element_mix_nothing(function):
    assert why_mixing(function) is None


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (keras.activations.softmax, "softmax"),
        (keras.activations.log_softmax, "log_softmax"),
        (keras.activations.sparsemax, "sparsemax"),
        (keras.activations.glu, "glu"),
        (image_activation, "image_activation"),
        (fixed_slopes, "fixed_slopes"),
        (swapped, "swapped"),
    ],
)
def test_other_activations_mix_channels(function, name):
    assert why_mixing(function) == f"its activation {name!r} computes with all channels"


def test_layers_whose_activation_mixes_are_kept_whole():
    why = "is read by 'conv': its activation 'image_activation' computes with all channels"
    model = image_model(lambda x: conv(5, "after")(conv(6, "conv", activation=image_activation)(x)))()
    assert kept_in(model)["conv"] == why
    assert [group[1] for group in groups_in(model)] == ["stem", "after"]


@pytest.mark.parametrize(
    ("equation", "rank", "out_rank", "expected"),
    [
        ("ab,bc->ac", 2, 2, ("ab", "bc", "ac")),
        ("...c,cd->...d", 4, 4, ("CBAc", "cd", "CBAd")),
        ("abc, cde -> abde", 3, 4, ("abc", "cde", "abde")),
        ("ab...,bc->ac...", 3, 3, ("abA", "bc", "acA")),
    ],
)
def test_equations_are_spread(equation, rank, out_rank, expected):
    layer = layers.EinsumDense(equation, output_shape=4)
    assert spread_equation(layer, rank, out_rank) == expected


def test_what_an_embedding_looks_up_is_kept():
    numbers = np.arange(5)

    def body(x):
        looked_up = ops.cast(layers.Dense(5, name="choice")(layers.Flatten()(x)) > 0, "int32")
        return layers.Embedding(len(numbers), 6, name="words")(looked_up)

    model = sequence_model(body)
    assert groups_in(model) == [(6, "words", "", "head")]
    assert kept_in(model)["choice"] == "is read by 'words': it looks them up"


def test_an_activation_that_is_a_layer_is_tried_out_without_being_built():
    slope = layers.PReLU()
    assert why_mixing(slope) == "its activation 'PReLU' computes with all channels"
    assert not slope.built
    assert why_mixing(layers.LeakyReLU()) is None


def test_layers_whose_activation_has_weights_are_kept_whole():
    slope = layers.PReLU(shared_axes=[1, 2])
    model = image_model(lambda x: conv(5, "after")(conv(6, "sloped", activation=slope)(x)))()
    model(np.zeros((1, 8, 8, 3)))
    assert slope.built
    assert kept_in(model) == {
        "sloped": "its activation has weights",
        "stem": "is read by 'sloped': its activation has weights",
    }
    assert groups_in(model) == [(5, "after", "", "head")]
