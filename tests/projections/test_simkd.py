"""SimKDProjector: the layers of the published code."""

import numpy as np
import pytest
from keras import layers

from keras_kd import projections as p


def test_convolutions_of_size_1_3_and_1_with_a_narrower_middle():
    layer = p.SimKDProjector(12, reduction=3)
    signal = np.random.default_rng(0).normal(size=(2, 4, 4, 8)).astype("float32")
    result = np.asarray(layer(signal))
    kernels = [convolution.kernel.shape for convolution in layer.convolutions]
    assert kernels == [(1, 1, 8, 4), (3, 3, 4, 4), (1, 1, 4, 12)]
    assert all(isinstance(convolution, layers.Conv2D) for convolution in layer.convolutions)
    assert result.min() == 0  # as after the teacher's ReLU


def test_a_reduction_beyond_the_width_leaves_one_channel():
    layer = p.SimKDProjector(2, reduction=8)
    layer(np.ones((1, 4, 4, 3), "float32"))
    assert layer.convolutions[1].filters == 1


@pytest.mark.parametrize(("size", "expected"), [(8, 4), (2, 2)])
def test_a_larger_map_is_pooled_first_and_a_smaller_one_kept(size, expected):
    layer = p.SimKDProjector()
    layer.size_for((None, 4, 4, 6))
    assert layer(np.ones((1, size, size, 3), "float32")).shape == (1, expected, expected, 6)
