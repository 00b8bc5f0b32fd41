"""Ranks: which layers they are tried on."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_kd.compression.selection import Selection
from keras_kd.compression.sensitivity.ranks import rank_parts


def model():
    x = inputs = keras.Input((8, 8, 6))
    x = layers.DepthwiseConv2D(3, name="depthwise")(x)
    x = layers.Conv2D(5, 3, name="conv")(x)
    x = layers.EinsumDense("abcd,d->abcd", (4, 4, 5), name="scale")(x)
    return keras.Model(inputs, layers.Dense(4, name="head")(layers.Flatten()(x)), name="net")


def test_layers_that_have_a_rank():
    assert [part.layer for part in rank_parts(model(), Selection()).parts] == ["conv", "head"]
    assert [part.layer for part in rank_parts(model(), Selection(["h*"])).parts] == ["head"]
    assert [part.layer for part in rank_parts(model(), Selection(skip=["head"])).parts] == ["conv"]


def test_the_kernel_gets_the_rank():
    (part,) = rank_parts(model(), Selection(["head"])).parts
    for amount, rank in ((2, 2), (0.75, 3), (1.0, 4)):
        ((variable, value),) = part.change(amount)
        assert np.linalg.matrix_rank(value, tol=1e-6) == rank
        assert value.shape == tuple(variable.shape)


def test_a_layer_without_a_rank_is_not_one_of_them():
    with pytest.raises(ValueError, match="'depthwise' has no kernel that can be factorized"):
        rank_parts(model(), Selection(["depthwise"]))
    with pytest.raises(ValueError, match="leave nothing of 'net'"):
        rank_parts(model(), Selection(skip=["conv", "head"]))
