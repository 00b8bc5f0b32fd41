"""What counts as a wrong file."""

import numpy as np
import pytest

from keras_kd.deployment.comparison import disagreement
from keras_kd.deployment.quantizations import FLOAT32, INT8, get

Y = np.random.default_rng(0).normal(size=(16, 4)).astype("float32")
NAN = np.where(np.arange(4) == 2, np.nan, Y)
CONSTANT = np.repeat(Y.mean(0, keepdims=True), 16, 0)


@pytest.mark.parametrize(
    ("found", "quantization", "fault"),
    [
        (Y, None, None),
        (Y + 1e-4, None, None),
        (Y + 0.01, None, "off by 0.01, more than the 0.00"),
        (Y + 0.01, "float16", None),
        (Y + 0.5, "float16", "off by 0.5"),
        (Y + 0.5, "int8", None),
        (Y * 3, "int8", "off by"),
        (NAN, None, "holds NaN or infinity and Keras's does not"),
        (NAN, "int8", "holds NaN or infinity"),
        (np.full_like(Y, np.inf), "dynamic", "holds NaN or infinity"),
        (CONSTANT, "int8", "is the same for every sample and Keras's is not"),
        (Y[:, :3], None, r"should have shape (16, 4); the file gives (16, 3)"),
    ],
)
def test_floats(found, quantization, fault):
    error, message = disagreement({"y": Y}, {"y": found}, get(quantization).error)
    assert (message is None) == (fault is None)
    if fault:
        assert "output 'y'" in message
        assert fault in message
    if found.shape == Y.shape and np.isfinite(found).all():
        assert error == pytest.approx(np.abs(found - Y).max())


def test_a_missing_output():
    assert "the file gives only ['z']" in disagreement({"y": Y}, {"z": Y}, FLOAT32.error)[1]


def test_constant_outputs_are_fine_where_keras_hardly_moves():
    flat = 0.5 + Y / 1000
    assert disagreement({"y": flat}, {"y": np.full_like(flat, 0.5)}, INT8.error)[1] is None
    assert disagreement({"y": Y[:1]}, {"y": Y[:1]}, INT8.error) == (0.0, None)


def test_integers_may_flip_now_and_then():
    wanted = np.arange(20)
    found = wanted.copy()
    found[0] = 5
    assert disagreement({"y": wanted}, {"y": found}, FLOAT32.error) == (5.0, None)
    assert "only 0% of the integers" in disagreement({"y": wanted}, {"y": wanted + 1}, FLOAT32.error)[1]
    assert disagreement({"y": wanted}, {"y": wanted + 1}, INT8.error)[1] is None


def test_empty_outputs():
    assert disagreement({"y": Y[:, :0]}, {"y": Y[:, :0]}, FLOAT32.error) == (0.0, None)
