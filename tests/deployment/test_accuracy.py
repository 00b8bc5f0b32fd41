"""Accuracy, agreement and differences, counted by hand."""

import numpy as np
import pytest

from keras_kd.deployment.accuracy import Accuracy, Differences, top_classes, true_classes

SCORES = np.array([[0.1, 0.7, 0.2], [0.5, 0.2, 0.3]])
NAN = np.array([[np.nan, 0.7, 0.2], [0.5, 0.2, 0.3]])


@pytest.mark.parametrize(
    "labels", [[1, 0], [[1], [0]], [1.0, 0.0], np.eye(3)[[1, 0]], [[0.2, 0.7, 0.1], [0.6, 0.1, 0.3]]]
)
def test_labels_in_every_form_are_class_numbers(labels):
    assert true_classes(np.asarray(labels), SCORES.shape).tolist() == [1, 0]


def test_labels_that_are_no_classes():
    assert true_classes(np.array([0.5, 1.0]), (2, 3)) is None
    assert true_classes(np.array([[0.2, 5.0, 0.1], [1, 2, 3]]), (2, 3)) is None
    assert true_classes(np.array([0.0, 1.0]), (2, 1)) is None
    with pytest.raises(ValueError, match=r"Labels must be 0 to 2, as there are 3 outputs. Received 0 to 3"):
        true_classes(np.array([0, 3]), (2, 3))
    with pytest.raises(ValueError, match=r"Labels of shape \(2, 2\) do not fit outputs of shape \(2, 3\)"):
        true_classes(np.ones((2, 2)), (2, 3))


def test_top_classes_of_scores_and_of_what_is_none():
    assert top_classes(SCORES).tolist() == [1, 0]
    assert top_classes(NAN).tolist() == [-1, 0]
    assert top_classes(np.stack([SCORES, NAN])).tolist() == [[1, 0], [-1, 0]]
    for other in (SCORES[0], SCORES[:, :1], SCORES.astype(int)):
        assert top_classes(other) is None


def test_accuracy_and_agreement_over_batches():
    tally = Accuracy()
    assert (tally.accuracy, tally.agreement) == (None, None)
    tally.add(np.array([0, 1, 2]), truth=np.array([0, 1, 1]), reference=np.array([0, 0, 2]))
    tally.add(np.array([1]), truth=np.array([1]), reference=np.array([0]))
    assert tally.accuracy == 3 / 4
    assert tally.agreement == 2 / 4
    tally.add(np.array([1, 1]))
    assert (tally.answers, tally.labelled, tally.compared) == (6, 4, 4)


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
    differences.add(np.array([np.nan]), np.array([1.0]))
    differences.add(np.array([2.0]), np.array([1.0]))
    assert np.isnan(differences.largest)
    assert np.isnan(differences.mean)
