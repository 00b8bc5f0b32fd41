"""Activations and normalizations need the memory that LiteRT allocates for them."""

import functools

import keras
import pytest
from keras import layers

from keras_kd.compression.costs.activation_steps import activation_name
from tests.compression.costs.branches import planned_and_allocated

FAST = "relu", "silu"
NAMES = ["relu", "relu6", "sigmoid", "tanh", "silu", "gelu", "hard_silu", "hard_sigmoid", "softmax", "elu"]
NAMES += ["leaky_relu", "softplus", "mish", "selu", "linear"]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in FAST else [pytest.mark.slow]) for name in NAMES]
)
def test_activations(name):
    planned, allocated = planned_and_allocated(layers.Activation(name))
    assert planned == allocated


NORMALIZATIONS = {
    "layer": lambda: layers.LayerNormalization(),
    "layer_of_image": lambda: layers.LayerNormalization(axis=(1, 2, 3)),
    "group": lambda: layers.GroupNormalization(4),
    "rms": lambda: layers.RMSNormalization(),
    "unit": lambda: layers.UnitNormalization(),
}


@pytest.mark.slow
@pytest.mark.parametrize("make", NORMALIZATIONS.values(), ids=NORMALIZATIONS)
def test_normalizations(make):
    planned, allocated = planned_and_allocated(make())
    assert planned == pytest.approx(allocated, rel=0.1)


NAMELESS = {
    "prelu": layers.PReLU(),
    "relu": layers.ReLU(),
    "partial": functools.partial(keras.activations.gelu, approximate=True),
}


@pytest.mark.parametrize("name", NAMELESS)
def test_activations_without_a_name_go_by_their_kind(name):
    assert activation_name(NAMELESS[name]) == name
