"""Keras's outputs once only an input is in the integers of a file."""

import keras
import numpy as np
import pytest

from keras_kd.deployment.input_steps import rounded, rounded_inputs
from keras_kd.deployment.source.serving import make_serving
from keras_kd.deployment.tflite import export

RNG = np.random.default_rng(0)
MEAN, DEVIATION = np.array([0, 1000, 1e-3, 50]), np.array([1, 100, 1e-4, 2])
TABLE = (RNG.normal(size=(64, 4)) * DEVIATION + MEAN).astype("float32")


def test_rounded_values_are_the_nearest_of_the_integers():
    values = RNG.normal(size=100)
    low, high = values.min(), values.max()
    ends = np.linspace(low, high, 256)
    nearest = ends[np.abs(values[:, None] - ends).argmin(1)]
    np.testing.assert_allclose(rounded(values, low, high, 255), nearest, rtol=1e-12)
    np.testing.assert_array_equal(rounded(np.zeros(3), 0.0, 0.0, 255), np.zeros(3))


def test_each_float_input_is_rounded_alone_to_the_range_of_all_samples():
    inputs = [
        keras.Input((4,), name="a"),
        keras.Input((4,), name="b"),
        keras.Input((1,), dtype="int32", name="c"),
    ]
    scaled = keras.layers.Lambda(lambda x: 1.0 * x)
    model = keras.Model(inputs, [scaled(x) for x in inputs[:2]])
    served = make_serving(model)
    arrays = served.arrays({"a": TABLE, "b": TABLE / 7, "c": np.ones((64, 1), "int32")})
    few = {name: array[:8] for name, array in arrays.items()}
    found = list(rounded_inputs(served, few, arrays, 255))
    assert [one.name for one in found] == ["a", "b"]
    step = (TABLE.max() - min(TABLE.min(), 0)) / 255
    first, second = found[0].outputs.values()
    assert 0 < np.abs(first - few["a"]).max() <= 0.51 * step
    np.testing.assert_allclose(second, few["b"], rtol=1e-6)
    assert (found[0].low, found[0].high) == (pytest.approx(min(TABLE.min(), 0)), pytest.approx(TABLE.max()))
    assert list(rounded_inputs(served, few, arrays, 0)) == []


def test_export_names_the_input_whose_features_have_different_ranges(tmp_path):
    normal = keras.layers.Normalization(mean=MEAN, variance=DEVIATION**2)
    inputs = keras.Input((4,), name="table")
    model = keras.Model(inputs, keras.layers.Dense(3)(normal(inputs)))
    with pytest.raises(
        ValueError, match="The cause is input 'table', all of whose values share 256 integers"
    ):
        export(model, tmp_path / "m.tflite", quantization="int8", calibration=TABLE)
