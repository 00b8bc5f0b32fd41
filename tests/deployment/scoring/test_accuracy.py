"""Accuracy, agreement and differences, counted by hand."""

import numpy as np
import pytest
from scipy import stats

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


def test_scores_of_each_sample():
    tally = Accuracy()
    tally.add(np.array([0, 1]), truth=np.array([0, 0]))
    tally.add(np.array([1, 2]), truth=np.array([-1, 2]))
    np.testing.assert_array_equal(tally.scores, np.array([1, 0, np.nan, 1], "float32"))
    maps = Accuracy()
    maps.add(np.array([[0, 1], [1, 1]]), truth=np.array([[0, 0], [1, -1]]))
    np.testing.assert_array_equal(maps.scores, np.array([0.5, 1], "float32"))


def test_confusions_count_missing_answers_apart():
    tally = Accuracy.of_classes(3)
    tally.add(np.array([0, 2, -1]), truth=np.array([0, 1, 1]))
    tally.add(np.array([[2], [2]]), truth=np.array([[1], [-1]]))
    assert tally.confusions.tolist() == [[1, 0, 0, 0], [0, 0, 2, 1], [0, 0, 0, 0]]


@pytest.mark.parametrize("classes", [0, 1001])
def test_no_confusions_of_too_many_classes(classes):
    assert Accuracy.of_classes(classes).confusions is None


@pytest.mark.parametrize(("right", "samples"), [(0, 10), (98, 100), (353, 360), (5, 5)])
def test_the_interval_is_that_of_wilson(right, samples):
    tally = Accuracy()
    tally.add(np.arange(samples) >= right, truth=np.zeros(samples, int))
    wilson = stats.binomtest(right, samples).proportion_ci(0.95, method="wilson")
    assert tally.interval() == pytest.approx((wilson.low, wilson.high))


def test_positions_of_a_map_are_not_samples():
    def interval(alike):
        rng, tally = np.random.default_rng(0), Accuracy()
        wrong = np.repeat(rng.random((50, 1)) < 0.2, 400, 1) if alike else rng.random((50, 400)) < 0.2
        tally.add(wrong.astype(int), truth=np.zeros((50, 400), int))
        low, high = tally.interval()
        assert low < tally.accuracy < high
        return high - low

    # Maps that are right or wrong as a whole say no more than one answer each.
    assert interval(alike=True) > 0.15
    assert interval(alike=False) < 0.02


def test_no_interval_without_labels():
    assert Accuracy().interval() is None
