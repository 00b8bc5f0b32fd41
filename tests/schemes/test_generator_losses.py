"""DAFL's loss of a generator, in NumPy, and what makes it small."""

import keras
import numpy as np
import pytest

from keras_kd.schemes.generator_losses import GeneratorWeights, generator_loss, statistics_gap

RANDOM = np.random.default_rng(0)
WEIGHTS = GeneratorWeights(2.0, 5.0, 0.1, 3.0)


def test_is_dafls_formula():
    logits, features = RANDOM.normal(size=(8, 5)), RANDOM.normal(size=(8, 3, 3, 2))
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    one_hot, mean = -np.log(p.max(-1)).mean(), p.mean(0)
    without = 2 * one_hot + 5 * (mean * np.log10(mean)).sum()
    np.testing.assert_allclose(generator_loss(logits, None, [], WEIGHTS), without, rtol=1e-5)
    expected = without - 0.1 * np.abs(features).mean()
    np.testing.assert_allclose(generator_loss(logits, features, [], WEIGHTS), expected, rtol=1e-5)
    with_gaps = generator_loss(logits, features, [1.0, 2.0], WEIGHTS)
    np.testing.assert_allclose(with_gaps, expected + 3 * 1.5, rtol=1e-5)


def test_sure_answers_of_all_classes_are_best():
    sure, unsure = 50 * np.eye(5), np.zeros((5, 5))
    alike = np.tile(sure[:1], (5, 1))  # a mean answer without entropy, whose logarithm is that of 0
    best, *others = (float(generator_loss(x, None, [], WEIGHTS)) for x in (sure, unsure, alike))
    np.testing.assert_allclose(best, -5 * np.log10(5), rtol=1e-5)
    assert best < min(others)


@pytest.mark.parametrize("axis", [-1, 1])
def test_statistics_are_compared_channel_by_channel(axis):
    norm = keras.layers.BatchNormalization(axis=axis)
    norm.build((None, 3, 3))
    kept, spread = np.array([1.0, -2.0, 0.5]), np.array([0.5, 2.0, 1.0])
    norm.moving_mean.assign(kept)
    norm.moving_variance.assign(spread**2)
    x = RANDOM.normal(size=(500, 3, 3)).astype("float32")
    x = (x - x.mean((0, 1))) / x.std((0, 1))
    x = x * spread + kept
    met = np.moveaxis(x, -1, axis)
    assert float(statistics_gap(norm, met)) == pytest.approx(0, abs=1e-5)
    assert float(statistics_gap(norm, met + 1)) == pytest.approx(np.mean(1 / spread**2), rel=1e-2)
    wider = np.moveaxis(3 * (x - kept) + kept, -1, axis)
    assert float(statistics_gap(norm, wider)) == pytest.approx(4, rel=1e-2)
