"""Where NaN and infinity are, in every kind of array."""

import keras
import numpy as np
import pytest

from keras_kd.finite import first_bad_row, nonfinite


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_found_in_every_float(dtype, bad):
    values = keras.ops.cast(np.array([[1.0, 2.0], [bad, 0.0]]), dtype)
    assert nonfinite(values).tolist() == [[False, False], [True, False]]
    assert first_bad_row(values) == 1
    assert first_bad_row(values[1, 0]) == 0


@pytest.mark.parametrize(
    "values", [np.arange(3), np.array(["a"]), np.array([True]), np.array(1.5), np.zeros(0)]
)
def test_nothing_to_find(values):
    assert nonfinite(values).shape == values.shape
    assert not nonfinite(values).any()
    assert first_bad_row(values) is None


def test_minus_infinity_may_suppress_a_class():
    values = np.array([[1.0, -np.inf], [np.inf, np.nan]])
    assert nonfinite(values, may_suppress=True).tolist() == [[False, False], [True, True]]
    assert first_bad_row(values) == 0
    assert first_bad_row(values, may_suppress=True) == 1
