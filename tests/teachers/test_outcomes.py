"""Probabilities in log space against NumPy in float64."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from keras_kd.teachers import outcomes
from tests.oracles.row import softmax

LOGITS = arrays.arrays("float64", (2, 3, 4), elements=st.floats(-8, 8, width=32))


def shares(logits, activation):
    """Probabilities of the outcomes, along the last axis."""
    if activation == "softmax":
        return softmax(logits)
    yes = 1 / (1 + np.exp(-logits))
    return np.stack([1 - yes, yes], -1)


@pytest.mark.parametrize("activation", outcomes.ACTIVATIONS)
@settings(max_examples=15, deadline=None)
@given(logits=LOGITS, weights=arrays.arrays("float64", 3, elements=st.floats(0.125, 1, width=32)))
def test_means_and_spreads(activation, logits, weights):
    p, weights = shares(logits, activation), weights / weights.sum()
    log = outcomes.log_outcomes(logits.astype("float32"), activation)
    np.testing.assert_allclose(np.exp(log), p, atol=1e-6)
    wide = np.tile(weights.astype("float32"), (2, 1))
    mean = np.tensordot(p, weights, (1, 0))
    log_mean = outcomes.log_weighted_sum(log, wide)
    np.testing.assert_allclose(np.exp(log_mean), mean, atol=1e-6)
    back = outcomes.logits_of_outcomes(log_mean, activation)
    np.testing.assert_allclose(np.exp(outcomes.log_outcomes(back, activation)), mean, atol=1e-6)
    h, most = -(p * np.log(p)).sum(-1), p.max(-1)
    kl = (p * (np.log(p) - np.log(mean)[:, None])).sum(-1)
    if activation == "sigmoid":
        h, most, kl = h.mean(-1), most.mean(-1), kl.sum(-1)
    np.testing.assert_allclose(outcomes.entropy(log, activation), np.maximum(h, 1e-7), atol=1e-5)
    np.testing.assert_allclose(outcomes.confidence(log, activation), most, atol=1e-6)
    np.testing.assert_allclose(outcomes.divergence(log, log_mean, activation), kl, atol=1e-5)


@pytest.mark.parametrize("activation", outcomes.ACTIVATIONS)
def test_large_logits_are_exact_and_infinite_ones_are_no_nan(activation):
    logits = np.array([[[1e4, 0.0], [0.0, 0.0]], [[-np.inf, 0.0], [-np.inf, 1.0]]], "float32")
    log = outcomes.log_outcomes(logits, activation)
    half = np.full((2, 2), 0.5, "float32")
    mean = np.asarray(outcomes.logits_of_outcomes(outcomes.log_weighted_sum(log, half), activation))
    expected = np.log([0.75, 0.25]) if activation == "softmax" else [np.log(3), 0.0]
    np.testing.assert_allclose(mean[0], expected, atol=1e-6)
    assert mean[1, 0] == -np.inf
    for found in (
        outcomes.entropy(log, activation),
        outcomes.divergence(log, outcomes.log_weighted_sum(log, half), activation),
        outcomes.weighted_sum(logits[1:], np.array([[0.0, 1.0]], "float32"))[:, 1:],
    ):
        assert np.isfinite(found).all()
    broken = np.array(log)
    broken[:, 1] = np.nan
    only = outcomes.log_weighted_sum(broken, np.array([[1.0, 0.0]] * 2, "float32"))
    np.testing.assert_array_equal(only, np.asarray(log)[:, 0])  # a weight of 0 is none at all


def test_a_logit_of_ten_thousand_stays_one():
    log = outcomes.log_outcomes(np.array([[[1e4, 0.0]], [[0.0, -1e4]]], "float32"), "softmax")
    mean = outcomes.log_weighted_sum(log, np.ones((2, 1), "float32"))
    np.testing.assert_array_equal(mean, [[0, -1e4], [0, -1e4]])
