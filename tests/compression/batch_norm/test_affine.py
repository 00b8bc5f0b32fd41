"""Weights that hold a scale and a shift of channels, for every kind of layer."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_kd.compression.batch_norm.affine import Affine, affine_of, folded_after, folded_before
from tests.graphs.topologies import scrambled

RANDOM = np.random.default_rng(0)

LINE, IMAGE, BLOCK = (7, 6), (7, 7, 6), (5, 5, 5, 6)
KINDS = {
    "dense": (layers.Dense(4), (6,)),
    "dense of a sequence": (layers.Dense(4), LINE),
    "without bias": (layers.Dense(4, use_bias=False), (6,)),
    "conv1d": (layers.Conv1D(4, 3), LINE),
    "conv2d": (layers.Conv2D(4, (3, 2), strides=2), IMAGE),
    "conv3d": (layers.Conv3D(4, 3, use_bias=False), BLOCK),
    "dilated": (layers.Conv2D(4, 3, dilation_rate=2), IMAGE),
    "grouped": (layers.Conv2D(4, 3, groups=2), IMAGE),
    "depthwise": (layers.DepthwiseConv2D(3, depth_multiplier=2), IMAGE),
    "depthwise1d": (layers.DepthwiseConv1D(3), LINE),
    "separable": (layers.SeparableConv2D(4, 3, depth_multiplier=2), IMAGE),
    "separable1d": (layers.SeparableConv1D(4, 3, use_bias=False), LINE),
}
PADDED = {
    "same": (layers.Conv2D(4, 3, padding="same"), IMAGE),
    "causal": (layers.Conv1D(4, 3, padding="causal"), LINE),
    "transposed": (layers.Conv2DTranspose(4, 3, strides=2), IMAGE),
    "transposed1d": (layers.Conv1DTranspose(4, 3, use_bias=False), LINE),
    "transposed3d": (layers.Conv3DTranspose(4, 2), BLOCK),
}


def drawn(channels):
    return Affine(RANDOM.uniform(0.5, 2, channels), RANDOM.normal(size=channels))


def changed(layer, shape, weights):
    """What a layer with other weights returns."""
    config = layer.get_config()
    made = type(layer).from_config({**config, "use_bias": True})
    made.build((None, *shape))
    for variable in layer.variables:
        getattr(made, variable.name).assign(variable)
    for name, value in weights.items():
        getattr(made, name).assign(value)
    return made


def built(layer, shape):
    return scrambled(keras.Sequential([keras.Input(shape), layer])).layers[0]


@pytest.mark.parametrize("kind", KINDS | PADDED)
def test_a_scale_and_shift_of_the_output(kind):
    layer, shape = (KINDS | PADDED)[kind]
    layer = built(layer, shape)
    x = RANDOM.normal(size=(2, *shape)).astype("float32")
    expected = layer(x).numpy()
    affine = drawn(expected.shape[-1])
    found = changed(layer, shape, folded_after(layer, affine))(x)
    np.testing.assert_allclose(found, expected * affine.scale + affine.shift, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_scale_and_shift_of_the_input(kind):
    layer, shape = KINDS[kind]
    layer = built(layer, shape)
    x = RANDOM.normal(size=(2, *shape)).astype("float32")
    affine = drawn(shape[-1])
    expected = layer((x * affine.scale + affine.shift).astype("float32"))
    found = changed(layer, shape, folded_before(layer, affine))(x)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("options", [{}, {"scale": False}, {"center": False}, {"epsilon": 0.1}])
def test_the_affine_of_a_norm(options):
    norm = built(layers.BatchNormalization(**options), (6,))
    x = RANDOM.normal(size=(3, 6)).astype("float32")
    affine = affine_of(norm)
    np.testing.assert_allclose(x * affine.scale + affine.shift, norm(x, training=False), rtol=1e-5, atol=1e-5)
