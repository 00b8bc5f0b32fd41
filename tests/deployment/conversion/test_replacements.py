"""Every replacement exports, and gives what the function gives: NumPy is the judge."""

import math

import keras
import numpy as np
import pytest
from keras import ops

from keras_kd.deployment.conversion.replacements import REPLACEMENTS, replacements_in
from keras_kd.deployment.litemodel import LiteModel
from keras_kd.deployment.tflite import export
from tests.deployment import small

X = np.random.default_rng(0).uniform(0.1, 0.9, (40, 6)).astype("float32")
EDGES = [0.3, 0.5, 0.7]
# The values that the function gives for X.
NUMPY = {
    "BitwiseAnd": X.argmax(-1),
    "Ceil": np.sort(X)[:, 2],
    "InTopKV2": (X.argsort(-1)[:, -2:] == 1).any(-1),
    "Roll": np.roll(X, 1, -1),
    "Cumprod": np.cumprod(X, -1),
    "DenseBincount": np.stack([np.bincount(row, minlength=4) for row in (X * 4).astype(int)]),
    "LowerBound": np.searchsorted(EDGES, X),
    "UpperBound": np.searchsorted(EDGES, X, side="right"),
    "Erf": np.vectorize(math.erf)(X),
    "Tan": np.tan(X),
    "Sinh": np.sinh(X),
    "Cosh": np.cosh(X),
    "Atan": np.arctan(X),
    "Asin": np.arcsin(X),
    "Acos": np.arccos(X),
    "Asinh": np.arcsinh(X),
    "Acosh": np.arccosh(X + 1),
    "Atanh": np.arctanh(X),
}


def applied(operator, x):
    """The expression, with what its names stand for in this test."""
    labels = {"InTopKV2": ops.ones_like(x[:, 0], "int32"), "DenseBincount": ops.cast(x * 4, "int32")}
    names = {"ops": ops, "x": x + 1 if operator == "Acosh" else x, "edges": EDGES, "k": 2}
    return eval(REPLACEMENTS[operator].expression, names | {"labels": labels.get(operator)})


def test_every_replacement_has_the_values_of_numpy():
    assert REPLACEMENTS.keys() == NUMPY.keys()
    for name, wanted in NUMPY.items():
        found = applied(name, ops.convert_to_tensor(X))
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.slow
def test_every_replacement_exports_with_the_values_of_numpy(tmp_path):
    inputs = keras.Input((6,))
    outputs = {name: keras.layers.Lambda(lambda x, n=name: applied(n, x))(inputs) for name in REPLACEMENTS}
    exported = export(keras.Model(inputs, outputs), tmp_path / "m.tflite", calibration=X)
    found = LiteModel(exported.path).predict(X)
    for name, wanted in NUMPY.items():
        np.testing.assert_allclose(found[name], wanted, rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.parametrize(
    ("function", "advice"),
    [
        (lambda x: ops.argmax(x, -1), r"keras\.ops\.argmax, keras\.ops\.top_k\(x, 1\)\[1\]\[\.\.\., 0\]"),
        (lambda x: ops.median(x, -1), r"keras\.ops\.median and quantile, keras\.ops\.sort"),
        (ops.arcsinh, r"even with Flex, .* What exports: for keras\.ops\.arcsinh"),
    ],
)
def test_the_error_names_what_exports(function, advice, tmp_path):
    with pytest.raises(ValueError, match=advice):
        export(small.applied(function), tmp_path / "m.tflite", batch_size=None)


def test_operators_without_a_replacement_and_several():
    assert replacements_in("TensorFlow Lite does not have these operators: MatrixInverse") == []
    text = "TensorFlow Lite does not have these operators: Sinh, Foo; X does not have these operators: Roll."
    assert len(replacements_in(text)) == 2
