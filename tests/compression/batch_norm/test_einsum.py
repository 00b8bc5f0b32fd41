"""Scales and shifts of channels in an EinsumDense."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_kd.compression.batch_norm.affine import Affine
from keras_kd.compression.batch_norm.einsum import (
    axes_after,
    axes_before,
    folded_after_einsum,
    folded_before_einsum,
    why_not_after,
    why_not_before,
)
from tests.graphs.topologies import scrambled

RANDOM = np.random.default_rng(0)
# equation, output shape, bias axes, input shape
EQUATIONS = [
    ("ab,bc->ac", 4, None, (6,)),
    ("ab,bc->ac", 4, "c", (6,)),
    ("...x,xy->...y", (5, 4), "y", (5, 6)),
    ("abc,cd->abd", (5, 4), "bd", (5, 6)),
    ("abc,cde->abde", (5, 2, 3), "de", (5, 6)),
    ("abc,cde->abde", (5, 2, 3), "d", (5, 6)),
    ("abc,cde->abde", (5, 2, 3), None, (5, 6)),
    ("abc,bcd->abd", (5, 4), None, (5, 6)),
    ("abc,c->abc", (5, 6), "c", (5, 6)),
]


def built(equation, output, bias, shape):
    layer = layers.EinsumDense(equation, output, bias_axes=bias)
    return scrambled(keras.Sequential([keras.Input(shape), layer])).layers[0]


def changed(layer, shape, axes, weights):
    made = layers.EinsumDense.from_config({**layer.get_config(), "bias_axes": axes})
    made.build((None, *shape))
    for name, value in weights.items():
        getattr(made, name).assign(value)
    return made


@pytest.mark.parametrize("case", EQUATIONS, ids=lambda case: f"{case[0]} {case[2]}")
def test_both_sides(case):
    layer, shape = built(*case), case[3]
    x = RANDOM.normal(size=(2, *shape)).astype("float32")
    y = layer(x).numpy()
    affine = Affine(RANDOM.uniform(0.5, 2, y.shape[-1]), RANDOM.normal(size=y.shape[-1]))
    after = changed(layer, shape, axes_after(layer), folded_after_einsum(layer, affine))
    np.testing.assert_allclose(after(x), y * affine.scale + affine.shift, rtol=1e-5, atol=1e-5)
    affine = Affine(RANDOM.uniform(0.5, 2, shape[-1]), RANDOM.normal(size=shape[-1]))
    before = changed(layer, shape, axes_before(layer), folded_before_einsum(layer, affine))
    expected = layer((x * affine.scale + affine.shift).astype("float32"))
    np.testing.assert_allclose(before(x), expected, rtol=1e-5, atol=1e-4)
    assert why_not_after(layer) is None
    assert why_not_before(layer) is None


@pytest.mark.parametrize(
    ("equation", "output", "shape", "sides"),
    [
        ("ab...,bc->ac...", 4, (6, 5), "neither"),
        ("abc,bd->adc", (4, 6), (5, 6), "neither"),  # the kernel is along another axis
        ("abc,cd->ad", 4, (5, 6), "after"),  # it also adds up the axis b
        ("abc,c->ab", 5, (5, 6), "neither"),  # no axis of the output is the kernel's
    ],
)
def test_what_is_not_possible_is_told(equation, output, shape, sides):
    layer = built(equation, output, None, shape)
    assert (why_not_after(layer) is None) == (sides == "after")
    assert layer.name in why_not_before(layer)
