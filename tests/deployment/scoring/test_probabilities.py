"""Metrics that read probabilities, of models that give logits, against Keras on what each of them gives."""

import keras
import numpy as np
import pytest

from keras_kd.deployment.scoring.evidence import Evidence
from keras_kd.deployment.scoring.probabilities import make_measure_for

RNG = np.random.default_rng(0)
LOGITS = (3 * RNG.normal(size=(40, 3))).astype("float32")
SHARES = keras.ops.convert_to_numpy(keras.ops.softmax(LOGITS))
ODDS = 1 / (1 + np.exp(-LOGITS))
CLASSES = RNG.integers(0, 3, 40)
ROWS, YES = np.eye(3, dtype="float32")[CLASSES], (RNG.random((40, 3)) < 0.5).astype("float32")
M = keras.metrics


def measured(metric, labels, outputs, **known):
    measure = make_measure_for(metric, {"model": Evidence(**known)})
    for rows in (slice(0, 15), slice(15, None)):
        measure.add("model", labels[rows], outputs[rows])
    return measure.value("model"), measure.note("model")


def keras_value(metric, labels, outputs):
    metric.update_state(labels, outputs)
    return float(metric.result())


@pytest.mark.parametrize(
    ("metric", "labels", "probabilities", "wanted"),
    [
        ("sparse_categorical_crossentropy", CLASSES, SHARES, M.SparseCategoricalCrossentropy()),
        (M.SparseCategoricalCrossentropy, CLASSES, SHARES, M.SparseCategoricalCrossentropy()),
        ("categorical_crossentropy", ROWS, SHARES, M.CategoricalCrossentropy()),
        (
            M.CategoricalCrossentropy(label_smoothing=0.1),
            ROWS,
            SHARES,
            M.CategoricalCrossentropy(label_smoothing=0.1),
        ),
        (M.CategoricalCrossentropy(from_logits=True), ROWS, SHARES, M.CategoricalCrossentropy()),
        ("bce", YES, ODDS, M.BinaryCrossentropy()),
        ("auc", YES, ODDS, M.AUC()),
        ("kl_divergence", ROWS, SHARES, M.KLDivergence()),
    ],
)
def test_logits_and_probabilities_have_the_same_value(metric, labels, probabilities, wanted):
    value = pytest.approx(keras_value(wanted, labels, probabilities), rel=1e-4)
    activation = "softmax" if probabilities is SHARES else "sigmoid"
    for known in ({}, {"from_logits": True}):
        assert measured(metric, labels, LOGITS, **known) == (value, "")
    for known in ({}, {"from_logits": False}, {"activation": activation}):
        assert measured(metric, labels, probabilities, **known) == (value, "")


def test_logits_that_are_never_negative_are_known_by_the_loss_alone():
    high = LOGITS - LOGITS.min() + 1
    name, right = "sparse_categorical_crossentropy", M.SparseCategoricalCrossentropy(from_logits=True)
    assert measured(name, CLASSES, high, from_logits=True)[0] == pytest.approx(
        keras_value(right, CLASSES, high), rel=1e-4
    )
    value, note = measured(name, CLASSES, high)
    taken = keras_value(M.SparseCategoricalCrossentropy(), CLASSES, high)
    assert value == pytest.approx(taken, rel=1e-4)
    assert note.startswith(f"{name} takes the outputs for probabilities, and neither")
    assert "takes the outputs for logits" in measured(type(right)(from_logits=True), CLASSES, high)[1]
    # A yes or no above 1 is no probability.
    wanted = keras_value(M.BinaryCrossentropy(from_logits=True), YES, high)
    assert measured("bce", YES, high) == (pytest.approx(wanted, rel=1e-4), "")


def test_other_metrics_read_the_outputs_as_they_are():
    class Mine(M.SparseCategoricalCrossentropy):
        pass

    for metric, labels, wanted in (
        ("mae", LOGITS + 1, 1.0),
        (Mine(), CLASSES, keras_value(M.SparseCategoricalCrossentropy(), CLASSES, LOGITS)),
        (lambda y, p: np.abs(y - p).mean(), LOGITS + 2, 2.0),
    ):
        assert measured(metric, labels, LOGITS) == (pytest.approx(wanted, rel=1e-5), "")
