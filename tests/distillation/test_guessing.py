"""Answers that have hardly to do with the labels, and those that have."""

import numpy as np
import pytest

from keras_kd.distillation.guessing import are_hardly_related

TEN, THOUSAND = [100] * 10, [10] * 1000

# Right answers, how often each class is the label, how often each is the answer.
CASES = {
    "by chance": (100, TEN, TEN, True),
    "always the same": (100, TEN, [1000] + [0] * 9, True),
    "16 % of ten classes": (160, TEN, TEN, True),
    "worse than chance": (0, TEN, TEN, True),
    "mediocre": (300, TEN, TEN, False),
    "too few to tell": (3, [2] * 10, [2] * 10, False),
    "a fifth of a thousand classes": (2000, THOUSAND, THOUSAND, False),
    "one in a thousand classes": (0, THOUSAND, THOUSAND, True),
    "two classes, by chance": (5000, [5000, 5000], [4000, 6000], True),
    "two classes, good": (9000, [5000, 5000], [5000, 5000], False),
    "nine of ten of a class, always it": (4500, [4500, 500], [5000, 0], True),
    "nine of ten of a class, by chance": (3700, [4500, 500], [4000, 1000], True),
    "nine of ten of a class, with weights": (4000, [4500, 500], [3700, 1300], False),
    "99 of 100 of a class, with weights": (80_000, [99_000, 1000], [79_400, 20_600], False),
    "99 of 100 of a class, rarely the other": (99_200, [99_000, 1000], [99_800, 200], False),
    "99 of 100 of a class, by chance": (79_400, [99_000, 1000], [80_000, 20_000], True),
    "never the only class": (0, [1000, 0], [0, 1000], False),
    "all of one class": (1000, [1000, 0], [1000, 0], False),
    "no sample": (0, [0, 0], [0, 0], False),
}


@pytest.mark.parametrize(("right", "labels", "answers", "found"), CASES.values(), ids=CASES)
def test_are_hardly_related(right, labels, answers, found):
    assert are_hardly_related(right, np.array(labels), np.array(answers)) is found


@pytest.mark.parametrize(("known", "low", "high"), [(0.2, 0.0, 0.02), (0.3, 0.0, 0.0), (0.0, 0.99, 1.0)])
@pytest.mark.parametrize("classes", [4, 10, 100])
def test_the_level_holds(known, low, high, classes):
    """Who knows a fifth of the answers is blamed once in a hundred times, a guesser nearly always."""
    rng, blamed = np.random.default_rng(0), []
    for _ in range(500):
        labels, guesses = rng.integers(0, classes, (2, 400))
        answers = np.where(rng.random(400) < known, labels, guesses)
        counts = (np.bincount(each, minlength=classes) for each in (labels, answers))
        blamed.append(are_hardly_related(int((labels == answers).sum()), *counts))
    assert low <= np.mean(blamed) <= high
