"""What answers are said to be, and their logits."""

import keras
import numpy as np
import pytest

from keras_kd.teachers.outputs import AsLogits, activation_behind, check_kinds, kind_at, log_of

P = np.array([[0.7, 0.3, 0.0], [1.0, 0.0, 0.0]])


@pytest.mark.parametrize(
    ("kind", "units", "activation"),
    [
        ("probabilities", 3, "softmax"),
        ("probabilities", 1, "sigmoid"),
        ("sigmoid", 3, "sigmoid"),
        ("logits", 3, None),
        ("values", 1, None),
        (None, 3, None),
    ],
)
def test_what_is_behind(kind, units, activation):
    assert activation_behind(kind, units) == activation


def test_kinds_of_all_or_of_each():
    assert kind_at("logits", "a") == kind_at({"a": "logits"}, "a") == "logits"
    assert kind_at({"a": "logits"}, "b") is kind_at(None, "b") is None
    check_kinds(None)
    check_kinds({"a": "values"})
    with pytest.raises(ValueError, match=r"is one of 'logits', .* Received: 'logit'. Did you mean 'logits'"):
        check_kinds({"a": "logit"})


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_probabilities_become_logits_zeros_too(dtype):
    p = P.astype(dtype)
    for found in (log_of(p, "probabilities"), AsLogits("probabilities")(p)):
        z = np.asarray(found, "float64")
        assert np.isfinite(z).all()
        np.testing.assert_allclose(np.exp(z) / np.exp(z).sum(-1, keepdims=True), P, atol=1e-6)
    for found in (log_of(p, "sigmoid"), AsLogits({"": "sigmoid"})(p)):
        z = np.asarray(found, "float64")
        assert np.isfinite(z).all()
        np.testing.assert_allclose(1 / (1 + np.exp(-z)), P, atol=1e-6)
    np.testing.assert_array_equal(log_of(p, "values"), p)


def test_what_is_no_probability():
    with pytest.raises(ValueError, match=r"they lie between -2 and 3\. If they are logits"):
        log_of(np.array([[-2.0, 3.0]]), "probabilities")


def test_outputs_by_name():
    layer = AsLogits({"a": "probabilities"})
    found = AsLogits.from_config(layer.get_config())({"a": P, "b": P})
    assert np.ptp(found["a"]) > 80
    np.testing.assert_array_equal(found["b"], P)
    assert keras.saving.get_registered_name(AsLogits) == "keras_kd>AsLogits"
