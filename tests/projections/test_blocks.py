"""The layers that projections are made of."""

import numpy as np
import pytest
from keras import layers

from keras_kd.projections.blocks import (
    batch_normalization,
    convolution,
    convolution_or_dense,
    dense_stack,
    without_padding,
)


@pytest.mark.parametrize(("rank", "kind"), [(3, layers.Conv1D), (4, layers.Conv2D), (5, layers.Conv3D)])
def test_a_convolution_fits_the_rank_and_keeps_the_size(rank, kind):
    layer = convolution(rank, 3, 3, use_bias=False)
    assert isinstance(layer, kind)
    shape = (2, *[4] * (rank - 2), 5)
    assert tuple(layer(np.ones(shape, "float32")).shape) == (*shape[:-1], 3)


def test_a_convolution_of_size_one_is_a_dense_layer_where_that_is_allowed():
    assert isinstance(convolution_or_dense(4, 3, 1), layers.Dense)
    assert isinstance(convolution_or_dense(4, 3, 3), layers.Conv2D)
    assert isinstance(convolution(4, 3, 1), layers.Conv2D)


def test_batch_normalization_has_the_published_constants():
    layer = batch_normalization("float32")
    assert (layer.momentum, layer.epsilon) == (0.9, 1e-5)


def test_a_dense_stack_is_built_and_has_relu_between_its_layers():
    stack = dense_stack((None, 4, 8), [5, 3], True, "float32")
    assert [layer.kernel.shape for layer in stack] == [(8, 5), (5, 3)]
    assert [layer.activation.__name__ for layer in stack] == ["relu", "linear"]


def test_padded_positions_become_zeros():
    signal, mask = np.ones((2, 3, 4), "float32"), np.array([[True, False, False], [True, True, True]])
    assert without_padding(signal, None) is signal
    np.testing.assert_array_equal(without_padding(signal, mask), np.where(mask[..., None], signal, 0))
