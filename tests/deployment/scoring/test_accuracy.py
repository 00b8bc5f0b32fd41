"""Accuracy, agreement and differences, counted by hand."""

import numpy as np

from keras_kd.deployment.scoring.accuracy import Accuracy, Differences


def test_accuracy_and_agreement_over_batches():
    tally = Accuracy()
    assert (tally.accuracy, tally.agreement) == (None, None)
    tally.add(np.array([0, 1, 2]), truth=np.array([0, 1, 1]), reference=np.array([0, 0, 2]))
    tally.add(np.array([1]), truth=np.array([1]), reference=np.array([0]))
    assert tally.accuracy == 3 / 4
    assert tally.agreement == 2 / 4
    tally.add(np.array([1, 1]))
    assert (tally.answers, tally.labelled, tally.compared) == (6, 4, 4)


def test_labels_that_do_not_count():
    tally = Accuracy()
    tally.add(np.array([0, 1, -1]), truth=np.array([0, -1, -1]))
    assert (tally.labelled, tally.accuracy) == (1, 1.0)


def test_nan_is_wrong_and_agrees_with_nothing():
    tally = Accuracy()
    tally.add(np.array([-1, 0]), truth=np.array([0, 0]), reference=np.array([-1, 0]))
    assert (tally.broken, tally.accuracy, tally.agreement) == (1, 0.5, 0.5)


def test_differences_over_batches():
    differences = Differences()
    assert (differences.largest, differences.mean) == (0, 0)
    differences.add(np.array([[1.0, 2.0]]), np.array([[1.5, 2.0]]))
    differences.add(np.array([[0.0], [0.25]], "float16"), np.array([[0.0], [0.0]]))
    assert (differences.largest, differences.mean, differences.elements) == (0.5, 0.75 / 4, 4)
    differences.add(np.array([np.inf, -np.inf]), np.array([np.inf, -np.inf]))
    assert (differences.largest, differences.elements) == (0.5, 6)
    differences.add(np.array([np.nan]), np.array([1.0]))
    differences.add(np.array([2.0]), np.array([1.0]))
    assert np.isnan(differences.largest)
    assert np.isnan(differences.mean)
