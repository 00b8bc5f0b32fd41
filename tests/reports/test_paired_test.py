"""Whether one model is better than another: known values, and simulated test sets."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from keras_kd.reports.paired_test import compare_scores
from tests.reports.simulation import outcomes


def discordant(won, lost, both=100):
    """Scores of two models that differ on so many samples."""
    first = np.repeat([1, 0, 1], [won, lost, both])
    return first, np.repeat([0, 1, 1], [won, lost, both])


# Computed by hand: the binomial tail, doubled.
@pytest.mark.parametrize(
    ("won", "lost", "p", "outcome"),
    [
        (9, 1, 2 * 11 / 1024, "better"),
        (1, 9, 2 * 11 / 1024, "worse"),
        (8, 2, 2 * 56 / 1024, "inconclusive"),
        (5, 5, 1.0, "inconclusive"),
        (0, 0, 1.0, "inconclusive"),
    ],
)
def test_mcnemar(won, lost, p, outcome):
    test = compare_scores(*discordant(won, lost))
    assert test.p == pytest.approx(p)
    assert test.outcome == outcome
    assert test.difference == pytest.approx((won - lost) / (won + lost + 100))
    assert test.method == "exact McNemar test"


@given(st.integers(0, 60), st.integers(0, 60))
def test_the_interval_leaves_zero_out_if_the_test_decides(won, lost):
    test = compare_scores(*discordant(won, lost))
    assert test.low <= test.difference <= test.high
    assert (test.low > 0 or test.high < 0) == (test.outcome != "inconclusive")
    turned = compare_scores(*discordant(lost, won))
    assert (turned.low, turned.high) == (pytest.approx(-test.high), pytest.approx(-test.low))


# Shares of samples on which only the first, only the second, and both models are right.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("samples", "first", "second", "both"),
    [(1000, 0, 0.03, 0.8), (600, 0, 0.005, 0.8), (360, 0.02, 0.01, 0.9), (100, 0.1, 0.02, 0.6)],
)
def test_the_interval_holds_the_true_difference(samples, first, second, both):
    rng, held = np.random.default_rng(0), 0
    for _ in range(1000):
        won, lost, same, _ = rng.multinomial(samples, [first, second, both, 1 - first - second - both])
        wrong = samples - won - lost - same
        one = np.repeat([1, 0, 1, 0], [won, lost, same, wrong])
        other = np.repeat([0, 1, 1, 0], [won, lost, same, wrong])
        test = compare_scores(one, other)
        held += test.low <= first - second <= test.high
    assert held >= 940


def test_equal_answers_are_no_certainty():
    test = compare_scores(*discordant(0, 0, both=11))
    assert test.low < 0 < test.high
    assert test.high < 0.4


def test_scores_that_are_not_right_or_wrong():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 40))
    expected = stats.ttest_rel(first, second)
    test = compare_scores(first, second)
    assert test.p == pytest.approx(expected.pvalue)
    interval = expected.confidence_interval()
    assert (test.low, test.high) == (pytest.approx(interval.low), pytest.approx(interval.high))
    same = compare_scores(first, first)
    assert (same.p, same.outcome) == (1.0, "inconclusive")
    assert compare_scores(first + 1, first).outcome == "better"


@pytest.mark.slow
@pytest.mark.parametrize(("samples", "seeds"), [(1000, 1), (360, 1), (360, 2), (1000, 5)])
def test_students_of_equal_accuracy_are_told_apart_in_one_case_of_20_at_most(samples, seeds):
    found = outcomes((0.9, 0.9), 1000, samples, seeds)
    assert found["better"] + found["worse"] <= 0.05
    assert found["inconclusive"] < 1  # a test that never decides would pass


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [1, 5])
def test_a_gain_of_three_points_on_a_thousand_samples_is_found(seeds):
    found = outcomes((0.93, 0.9), 1000, 1000, seeds)
    assert found["better"] >= 0.8
    assert found["worse"] == 0


def test_scores_of_other_shapes():
    for first, second in (([1, 0], [1]), ([1], [0]), (np.ones((2, 2, 2)), np.ones((2, 2, 2)))):
        with pytest.raises(ValueError, match=r"\(samples,\) or \(seeds, samples\), the same for both"):
            compare_scores(np.asarray(first), np.asarray(second))
