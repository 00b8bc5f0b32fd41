"""The outputs of several models under the same names."""

import numpy as np
import pytest

from keras_kd.reports.outputs import check_finite, check_same_shapes, under_names


def test_outputs_are_paired_by_name_else_in_order():
    assert under_names({"b": 2, "a": 1}, ["a", "b"]) == {"a": 1, "b": 2}
    assert under_names({"x": 1, "y": 2}, ["a", "b"]) == {"a": 1, "b": 2}
    assert under_names({"x": 1}, ["a", "b"]) == {"x": 1}


def test_inputs_and_outputs_that_cannot_be_compared():
    with pytest.raises(ValueError, match="holds NaN or infinity"):
        check_finite({"x": np.array([1.0, np.inf])})
    outputs = {"one": {"y": np.zeros((2, 3))}, "two": {"z": np.zeros((2, 4))}}
    with pytest.raises(ValueError, match=r"'two' has \[\(4,\)\], 'one' has \[\(3,\)\]"):
        check_same_shapes(outputs, "two")
