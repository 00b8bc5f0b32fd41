"""Linear: a convolution of size one."""

import keras
import numpy as np

from keras_kd import projections as p
from tests.projections.rows import make_sized


def test_linear_is_a_convolution_of_size_one():
    layer, signals = make_sized("linear, maps")
    result = layer(signals)
    kernel, bias = layer.get_weights()
    convolved = keras.ops.conv(signals, kernel[None, None], data_format="channels_last") + bias
    np.testing.assert_allclose(result, convolved, rtol=1e-5, atol=1e-6)


def test_linear_without_bias():
    layer = p.Linear(3, use_bias=False)
    assert np.asarray(layer(np.zeros((2, 4), "float32"))).max() == 0
    assert [weight.shape for weight in layer.weights] == [(4, 3)]


def test_a_tuple_of_signals_gets_a_map_each():
    layer, signals = make_sized("linear, tuple")
    results = layer(signals)
    for result, signal, dense in zip(results, signals, layer.maps, strict=True):
        np.testing.assert_allclose(result, signal @ dense.kernel + dense.bias, rtol=1e-5, atol=1e-6)
