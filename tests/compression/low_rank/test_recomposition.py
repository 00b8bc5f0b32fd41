"""A layer with the weights that its thin layers amount to computes what they compute."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_kd.compression.low_rank.factorize import build
from keras_kd.compression.low_rank.plan import Plan
from keras_kd.compression.low_rank.ranks import Amount
from keras_kd.compression.low_rank.recomposition import recompose
from keras_kd.graphs import rebuild
from tests.compression.low_rank.forced import batch_for, factors_in, largest_difference, model_of

IMAGE = (9, 8, 6)
KINDS = {
    "dense": (layers.Dense(5), (4, 6)),
    "pointwise": (layers.Conv2D(5, 1, strides=2), IMAGE),
    "convolution": (layers.Conv2D(5, 3, padding="same", activation="relu"), IMAGE),
    "strided": (layers.Conv2D(5, (3, 2), strides=2), IMAGE),
    "dilated": (layers.Conv2D(5, 3, dilation_rate=2), IMAGE),
    "grouped": (layers.Conv2D(8, 3, groups=2), IMAGE),
    "causal": (layers.Conv1D(5, 3, padding="causal"), (9, 6)),
    "volume": (layers.Conv3D(4, 2), (4, 5, 6, 3)),
    "einsum": (layers.EinsumDense("abcd,edc->abe", (9, 5), bias_axes="e"), (9, 8, 6)),
    "ellipsis": (layers.EinsumDense("...d,ed->...e", 5), (9, 6)),
    "distributed": (layers.TimeDistributed(layers.Dense(5)), (9, 6)),
}


IMAGES = "convolution", "strided", "dilated", "grouped"
CASES = [(kind, method) for kind in KINDS for method in ("auto", "tucker")]


@pytest.mark.parametrize(("kind", "method"), [*CASES, *((kind, "spatial") for kind in IMAGES)])
def test_a_layer_alone(kind, method):
    layer, shape = KINDS[kind]
    check(model_of(type(layer).from_config(layer.get_config()), shape), Amount(2), method)


@pytest.mark.parametrize("use_bias", [True, False])
def test_attention(use_bias):
    inputs = keras.Input((5, 8))
    attention = layers.MultiHeadAttention(2, 4, value_dim=3, use_bias=use_bias, name="attention")
    model = keras.Model(inputs, attention(inputs, inputs))
    random = np.random.default_rng(0)
    for variable in model.weights:
        variable.assign(random.normal(size=variable.shape))
    check(model, Amount(2), "auto")


def check(model, amount, method):
    ((layer, factors),) = factors_in(model, amount, method).items()
    assert factors.error > 0.01
    thin = build(Plan(model, {layer: factors}, None))
    full = rebuild(model)
    ((twin, again),) = factors_in(full, amount, method).items()
    for variable, value in recompose(getattr(twin, "layer", twin), again):
        assert value.shape == tuple(variable.shape)
        variable.assign(value)
    x = batch_for(model)
    assert largest_difference(thin, full, x) < 1e-5 < largest_difference(thin, model, x)
