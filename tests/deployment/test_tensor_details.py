"""Arrays of a user against the inputs of a file: what fits, and messages for what does not."""

import numpy as np
import pytest

from keras_kd.deployment.litemodel import LiteModel
from keras_kd.deployment.tensor_details import TensorDetails, checked_arrays

FLOAT = TensorDetails("input_0", (None, 4), "float32")
IDS = TensorDetails("ids", (None, 6), "int32")


def test_details_print_shapes_and_scales():
    assert str(FLOAT) == "input_0 (?, 4) float32"
    assert str(TensorDetails("x", (1, 2), "int8", 0.25, -3)) == "x (1, 2) int8 scale 0.25 zero -3"
    assert [FLOAT.value_dtype, IDS.value_dtype] == ["float32", "int32"]
    assert TensorDetails("x", (1, 2), "int8", 0.25, -3).value_dtype == "float32"


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (
            np.ones(4),
            ValueError,
            r"needs shape \(rows, 4\); received shape \(4,\). Add a batch axis: x\[None\]",
        ),
        (np.ones((2, 5)), ValueError, r"needs shape \(rows, 4\); received shape \(2, 5\)\.$"),
        (np.array([["a"] * 4]), TypeError, r"needs numbers \(float32\); received <U1"),
        (np.ones((2, 4), "complex64"), TypeError, "received complex64"),
        ({"input": np.ones((2, 4))}, ValueError, r"Unknown name 'input'.*Did you mean 'input_0'\?"),
        ({"zzz": np.ones((2, 4))}, ValueError, r"Unknown name 'zzz'; expected one of \['input_0'\]\.$"),
        ([[1.0, 2.0, 3.0]], ValueError, r"received shape \(1, 3\)"),
        (
            [np.ones((2, 5)), np.ones(2)],
            ValueError,
            r"'input_0' needs one array; received a list of 2 parts of several shapes\. .*tuples \(x, y\)",
        ),
        ({"input_0": [[1.0] * 4, [1.0]]}, ValueError, "a list of 2 parts of several shapes"),
        ({}, ValueError, r"Missing input 'input_0'; expected \['input_0'\], received \[\]"),
    ],
)
def test_input_that_does_not_fit(x, error, message, dense_file):
    with pytest.raises(error, match=message):
        LiteModel(dense_file).predict(x)


def test_integers_may_come_as_floats_without_fractions():
    ids = np.full((2, 6), 3)
    np.testing.assert_array_equal(checked_arrays({"ids": ids.astype("float32")}, (IDS,))["ids"], ids)
    with pytest.raises(TypeError, match="takes int32; received float64 with fractions"):
        checked_arrays({"ids": ids + 0.5}, (IDS,))
    assert checked_arrays({"ids": np.zeros((0, 6))}, (IDS,))["ids"].shape == (0, 6)


@pytest.mark.parametrize(
    ("shape", "wanted", "hint"),
    [
        ((8, 8, 1), (8, 8, 1), r"Add a batch axis: x\[None\]"),
        ((200, 8, 8), (8, 8, 1), r"Add a channel axis: x\[\.\.\., None\]"),
        ((8, 8, 1), (None, None, 1), "Add a batch axis"),
        ((200, 8, 8), (8, 8, 3), r"received shape \(200, 8, 8\)\.$"),
        ((200, 8, 8, 1), (8, 8), r"Leave out the last axis: x\[\.\.\., 0\]"),
        ((200, 3, 8, 9), (8, 9, 3), r"Move the channels to the end: np\.moveaxis\(x, 1, -1\)"),
        ((5, 40, 8, 8, 3), (8, 8, 3), r"It is batched twice: leave out one batch\(\)"),
        ((200,), (1,), r"Add a channel axis"),
        ((200, 5), (4,), r"received shape \(200, 5\)\.$"),
    ],
)
def test_hints_fit(shape, wanted, hint):
    tensor = TensorDetails("x", (None, *wanted), "float32")
    with pytest.raises(ValueError, match=hint):
        checked_arrays({"x": np.zeros(shape)}, (tensor,))
