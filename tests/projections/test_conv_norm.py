"""ConvNorm: a convolution, BatchNorm and ReLU, computed again in NumPy."""

import numpy as np
import pytest

from keras_kd import projections as p


@pytest.mark.parametrize("activation", [None, "relu"])
def test_it_is_a_linear_map_and_batch_normalization(activation):
    signal = np.random.default_rng(0).normal(size=(6, 8)).astype("float32")
    layer = p.ConvNorm(5, activation=activation)
    result = layer(signal, training=True)
    mapped = signal @ np.asarray(layer.convolution.kernel)
    expected = (mapped - mapped.mean(0)) / np.sqrt(mapped.var(0) + 1e-5)
    np.testing.assert_allclose(result, np.maximum(expected, 0) if activation else expected, atol=1e-4)
    np.testing.assert_allclose(layer.norm.moving_mean, 0.1 * mapped.mean(0), rtol=1e-4, atol=1e-6)


def test_a_larger_kernel_is_a_convolution_that_keeps_the_size():
    layer = p.ConvNorm(5, kernel_size=3)
    assert layer(np.ones((2, 6, 4, 8), "float32")).shape == (2, 6, 4, 5)
    assert layer.convolution.kernel.shape == (3, 3, 8, 5)
    assert not layer.convolution.use_bias
