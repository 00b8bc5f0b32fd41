"""How far answers are from one another, against the definition."""

import numpy as np
import pytest

from keras_kd.teachers.taught.engines.agreement import DISTANCE, DIVERGENCE, Agreement, compare

LOGITS = np.random.default_rng(0).normal(0, 3, (20, 5))
NONE = {"output": None}


def softmax(logits):
    exponentials = np.exp(logits)
    return exponentials / exponentials.sum(-1, keepdims=True)


P, Q = softmax(LOGITS), softmax(LOGITS + np.linspace(0, 0.5, 5))
EXPECTED = (P * np.log(P / Q)).sum(-1).mean()


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [(LOGITS, LOGITS + np.linspace(0, 0.5, 5), None), (P, Q, "softmax"), (np.log(P), np.log(Q), None)],
)
def test_the_divergence_of_outputs(one, other, kind):
    found = compare({"output": one}, {"output": other}, {"output": kind})
    assert found.divergence == pytest.approx(EXPECTED)
    assert found.distance == pytest.approx(abs(one - other).max() / one.std())


def test_the_worst_signal_counts_and_features_have_no_divergence():
    features = np.arange(12.0).reshape(2, 6)
    found = compare({"output": LOGITS, "f": features}, {"output": LOGITS, "f": features + 1}, NONE)
    assert found == Agreement(0.0, 1 / features.std())


INF = np.where(LOGITS > 3, -np.inf, LOGITS)
APART = {
    "a mask": (np.array([[True, False]]), np.array([[True, True]])),
    "NaN": (LOGITS, np.where(LOGITS > 3, np.nan, LOGITS)),
    "another shape": (LOGITS, LOGITS[:, :4]),
    "a constant": (np.zeros((3, 1)), np.full((3, 1), 0.1)),
}


@pytest.mark.parametrize(("one", "other"), APART.values(), ids=APART)
def test_what_is_apart(one, other):
    assert not compare({"output": one}, {"output": other}, NONE).is_near


@pytest.mark.parametrize("same", [INF, np.full((3, 2), np.nan), np.zeros((2, 3), int), np.zeros((0, 4))])
def test_what_is_the_same(same):
    assert compare({"output": same}, {"output": same.copy()}, NONE).is_near


@pytest.mark.parametrize("far", [Agreement(2 * DIVERGENCE, 0), Agreement(0, 2 * DISTANCE)])
def test_either_bound_holds(far):
    assert not far.is_near
    assert Agreement(DIVERGENCE, DISTANCE).is_near
    assert f"at most {DIVERGENCE:.0e}" in str(far)
