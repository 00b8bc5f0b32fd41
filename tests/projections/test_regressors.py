"""Regressor: linear maps with ReLU between them, computed again in NumPy."""

import numpy as np
import pytest

from keras_kd import projections as p


@pytest.mark.parametrize(
    ("layers", "hidden", "widths"), [(2, None, [5, 5]), (2, 7, [7, 5]), (3, 4, [4, 4, 5])]
)
def test_it_is_a_stack_of_linear_maps_with_relu_between_them(layers, hidden, widths):
    signal = np.random.default_rng(0).normal(size=(2, 3, 3, 8)).astype("float32")
    layer = p.Regressor(5, layers=layers, hidden=hidden)
    result = layer(signal)
    assert [dense.units for dense in layer.maps] == widths
    for number, dense in enumerate(layer.maps, 1):
        signal = signal @ np.asarray(dense.kernel) + np.asarray(dense.bias)
        signal = signal if number == layers else np.maximum(signal, 0)
    np.testing.assert_allclose(result, signal, rtol=1e-4, atol=1e-6)


def test_without_bias_zeros_stay_zeros():
    layer = p.Regressor(5, use_bias=False)
    assert np.abs(layer(np.zeros((2, 8), "float32"))).max() == 0
    assert len(layer.weights) == 2
