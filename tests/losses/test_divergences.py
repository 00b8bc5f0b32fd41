"""Divergences and correlations against their definitions, and where float32 would cancel."""

import keras
import numpy as np
import pytest

from keras_kd.losses.divergences import (
    binary_kl,
    expected_log,
    jensen_shannon,
    kl_divergence,
    kl_terms,
    pearson,
    standardize,
)
from tests.oracles.row import log_softmax, softmax

T, S = np.random.default_rng(0).normal(size=(2, 5, 6))


def test_kl_divergence_is_its_definition():
    expected = (softmax(T) * (log_softmax(T) - log_softmax(S))).sum(-1)
    np.testing.assert_allclose(kl_divergence(log_softmax(T), log_softmax(S)), expected, rtol=1e-6)


INFINITE = float("inf")


def test_a_class_without_probability_does_not_count():
    """Logarithms of (1/2, 1/2, 0) and (1/4, 1/2, 1/4); the third class of neither; and of only one."""
    p, q = map(keras.ops.convert_to_tensor, ([np.log(0.5)] * 2 + [-INFINITE], np.log([0.25, 0.5, 0.25])))
    np.testing.assert_allclose(kl_divergence(p, q), 0.5 * np.log(2), rtol=1e-6)
    np.testing.assert_allclose(kl_divergence(p, p), 0, atol=1e-7)
    assert float(kl_divergence(q, p)) == INFINITE
    mixed = np.array([0.375, 0.5, 0.125])
    expected = 0.5 * (0.5 * np.log(0.5 / mixed[0])) + 0.5 * (
        0.25 * np.log(0.25 / mixed[0]) + 0.25 * np.log(0.25 / mixed[2])
    )
    for pair in ((p, q), (q, p)):
        np.testing.assert_allclose(jensen_shannon(*pair, 0.5), expected, rtol=1e-6)
    np.testing.assert_allclose(jensen_shannon(p, p, 0.5), 0, atol=1e-7)
    np.testing.assert_allclose(expected_log(keras.ops.exp(p), p), [np.log(0.5) / 2] * 2 + [0], rtol=1e-6)


def test_answers_that_are_certain():
    """`KL([1, 0] || [q, 1 - q]) = -log q`."""
    logit = np.array([1.5])
    for sign in (1, -1):
        found = binary_kl(np.array([sign * INFINITE]), logit)
        np.testing.assert_allclose(found, np.log1p(np.exp(-sign * logit)), rtol=1e-6)
        np.testing.assert_allclose(binary_kl(*[np.array([sign * INFINITE])] * 2), [0], atol=1e-7)


def test_kl_divergence_keeps_its_digits_where_distributions_nearly_agree():
    """At T = 1000 two digits of seven are left to the usual sum in float32."""
    t, s = (log_softmax(z / 1000) for z in (T, S))
    single = [z.astype("float32") for z in (t, s)]
    ours = np.asarray(kl_divergence(*single))
    # Digits that the rounding of the logarithms has taken are not ours to keep.
    p, q = (np.exp(z.astype("float64")) for z in single)
    expected = (p * np.log(p / q) - p + q).sum(-1)
    np.testing.assert_allclose(ours, expected, rtol=1e-4)
    assert (ours >= 0).all()


def test_terms_of_kl_are_never_negative_and_zero_where_equal():
    d = np.linspace(-3, 3, 61)
    terms = np.asarray(kl_terms(np.zeros_like(d), d, -d))
    np.testing.assert_allclose(terms, d - 1 + np.exp(-d), rtol=1e-6, atol=1e-9)
    assert (terms >= 0).all()
    assert terms[30] == 0


def test_binary_kl_is_that_of_two_answers():
    p, q = (1 / (1 + np.exp(-z)) for z in (T, S))
    expected = p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))
    np.testing.assert_allclose(binary_kl(T, S), expected, rtol=1e-6)


@pytest.mark.parametrize("beta", [0.1, 0.5, 0.9])
def test_jensen_shannon_is_its_definition(beta):
    p, q = softmax(T), softmax(S)
    m = beta * p + (1 - beta) * q
    expected = (beta * p * np.log(p / m) + (1 - beta) * q * np.log(q / m)).sum(-1)
    np.testing.assert_allclose(jensen_shannon(log_softmax(T), log_softmax(S), beta), expected, rtol=1e-6)


def test_standardized_rows_have_mean_0_and_deviation_1():
    rows = np.asarray(standardize(3 * T + 7))
    np.testing.assert_allclose(rows.mean(-1), 0, atol=1e-12)
    np.testing.assert_allclose(rows.std(-1, ddof=1), 1, rtol=1e-6)
    assert (np.asarray(standardize(np.ones((2, 4)))) == 0).all()


def test_pearson_is_the_correlation_of_numpy():
    expected = [np.corrcoef(t, s)[0, 1] for t, s in zip(T, S, strict=True)]
    np.testing.assert_allclose(pearson(T, S, axis=-1), expected, rtol=1e-6)
    columns = [np.corrcoef(t, s)[0, 1] for t, s in zip(T.T, S.T, strict=True)]
    np.testing.assert_allclose(pearson(T, S, axis=0), columns, rtol=1e-6)


def test_pearson_without_variance_is_0_and_ignores_what_is_not_kept():
    assert (np.asarray(pearson(np.full((2, 4), 0.3), S[:2, :4], axis=-1)) == 0).all()
    kept = np.array([[1.0], [1.0], [1.0], [0.0], [0.0]])
    spoiled = np.where(kept > 0, S, 100.0)
    np.testing.assert_allclose(pearson(T, spoiled, kept, axis=0), pearson(T[:3], S[:3], axis=0), rtol=1e-9)
