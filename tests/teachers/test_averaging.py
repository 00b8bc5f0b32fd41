"""The layers of an ensemble against NumPy in float64."""

import keras
import numpy as np
import pytest

from keras_kd.keras_internals import mask_of
from keras_kd.teachers.averaging import Answer, Answers, Averaging, Disagreement
from tests.oracles.row import softmax

RANDOM = np.random.default_rng(0)
Z = 2 * RANDOM.normal(size=(3, 5, 4))  # members, samples, classes
SHARES = softmax(Z)


def stacked(z):
    """As `Answers` returns them: samples, members, classes."""
    return np.moveaxis(z, 0, 1).astype("float32")


def entropies(p):
    return -(p * np.log(p)).sum(-1)


WEIGHTS = {
    "numbers": ([0.5, 0.25, 0.25], np.tile([[0.5], [0.25], [0.25]], (1, 5))),
    "confidence": ("confidence", SHARES.max(-1) / SHARES.max(-1).sum(0)),
    "entropy": ("entropy", 1 / entropies(SHARES) / (1 / entropies(SHARES)).sum(0)),
    "learned": ("learned", np.full((3, 5), 1 / 3)),
}


@pytest.mark.parametrize(("given", "weights"), WEIGHTS.values(), ids=WEIGHTS)
@pytest.mark.parametrize("average", ["probabilities", "logits"])
def test_means_weights_and_disagreement(average, given, weights):
    mean, found = Averaging(average, given, "softmax")(stacked(Z))
    np.testing.assert_allclose(np.moveaxis(np.asarray(found), 1, 0), weights, atol=1e-6)
    np.testing.assert_allclose(np.sum(found, axis=1), 1, atol=1e-6)
    log = np.log((weights[..., None] * SHARES).sum(0))
    expected = log if average == "probabilities" else (weights[..., None] * Z).sum(0)
    np.testing.assert_allclose(mean, expected, atol=1e-5)
    of_mean = softmax(expected)
    gaps = (SHARES * (np.log(SHARES) - np.log(of_mean))).sum(-1)
    spread = Disagreement("softmax")([stacked(Z), found, mean])
    np.testing.assert_allclose(spread, (weights * gaps).sum(0), atol=1e-5)
    if average == "probabilities":  # then it is the Jensen-Shannon divergence
        js = entropies(of_mean) - (weights * entropies(SHARES)).sum(0)
        np.testing.assert_allclose(spread, js, atol=1e-5)


def test_numbers():
    weights = np.array([0.5, 0.3, 0.2])[:, None, None]
    mean, found = Averaging("values", [0.5, 0.3, 0.2], None)(stacked(Z))
    np.testing.assert_allclose(mean, (weights * Z).sum(0), atol=1e-6)
    variance = (weights * (Z - (weights * Z).sum(0)) ** 2).sum(0).mean(-1)
    np.testing.assert_allclose(Disagreement(None)([stacked(Z), found, mean]), variance, atol=1e-5)


def test_members_that_agree_do_not_disagree_and_positions_are_averaged():
    z = np.stack([Z.reshape(3, 1, 5, 4)[0]] * 2)
    for activation in ("softmax", "sigmoid"):
        mean, weights = Averaging("probabilities", "entropy", activation)(stacked(z))
        np.testing.assert_allclose(Disagreement(activation)([stacked(z), weights, mean]), [0], atol=1e-5)
    mean, weights = Averaging("probabilities", [0.5, 0.5], "softmax")(stacked(Z[:2].reshape(2, 1, 5, 4)))
    spread = Disagreement("softmax")([stacked(Z[:2].reshape(2, 1, 5, 4)), weights, mean])
    m = SHARES[:2].mean(0)
    js = (entropies(m) - entropies(SHARES[:2]).mean(0)).mean()
    np.testing.assert_allclose(spread, [js], atol=1e-5)


def test_answers_undo_activations_and_stop_gradients():
    import tensorflow as tf

    z = tf.constant(Z[:, :, :].astype("float32"))
    with tf.GradientTape() as tape:
        tape.watch(z)
        found = Answers([None, "softmax", "softmax"], "softmax")([z[0], keras.ops.softmax(z[1]), SHARES[2]])
    assert found.shape == (5, 3, 4)
    assert tape.gradient(found, z) is None
    np.testing.assert_allclose(softmax(np.asarray(found, "float64")), np.moveaxis(SHARES, 0, 1), atol=1e-6)
    none = np.array([[1.0, 0.0]], "float32")
    mixed = Answers(["softmax", None], "softmax")([none, none])
    assert np.isfinite(mixed).all()
    mean, _ = Averaging("probabilities", [1.0, 0.0], "softmax")(mixed)
    np.testing.assert_allclose(softmax(np.asarray(mean, "float64")), none, atol=1e-6)


def test_numbers_pass_as_they_are():
    found = Answers(["softmax", None], None)([SHARES[0], SHARES[1]])
    np.testing.assert_allclose(found, np.moveaxis(SHARES[:2], 0, 1), atol=1e-6)


def test_a_padding_mask_passes():
    tokens = keras.Input((5,), dtype="int32")
    x = keras.layers.Embedding(9, 4, mask_zero=True)(tokens)
    mean, weights = Averaging("logits", [0.5, 0.5], "softmax")(Answers([None] * 2, "softmax")([x, x]))
    spread = Disagreement("softmax")([Answers([None] * 2, "softmax")([x, x]), weights, mean])
    found = Answer()([mean, spread])
    assert mask_of(found) is not None
    assert Answer().compute_mask(None, [None, "mask"]) == "mask"
