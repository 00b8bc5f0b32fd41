"""Answers that are hardly better than guessing, and those that are."""

import numpy as np
import pytest

from keras_kd.distillation.guessing import is_hardly_better

CASES = {
    "by chance": (100, 1000, 0.1, True),
    "16 % of ten classes": (160, 1000, 0.1, True),
    "worse than chance": (0, 1000, 0.1, True),
    "mediocre": (300, 1000, 0.1, False),
    "too few to tell": (3, 20, 0.1, False),
    "a fifth of a thousand classes": (200, 1000, 0.002, False),
    "one in a thousand classes": (0, 10_000, 0.002, True),
    "two classes, by chance": (5000, 10_000, 0.5, True),
    "two classes, good": (9000, 10_000, 0.5, False),
    "a class that does not occur": (0, 1000, 0.0, False),
    "all of one class": (1000, 1000, 1.0, False),
}


@pytest.mark.parametrize(("right", "samples", "guessed", "found"), CASES.values(), ids=CASES)
def test_is_hardly_better(right, samples, guessed, found):
    assert is_hardly_better(right, samples, guessed) is found


@pytest.mark.parametrize(("accuracy", "low", "high"), [(0.2, 0.0, 0.02), (0.1, 0.99, 1.0)])
def test_the_level_holds(accuracy, low, high):
    """Who has one in five right of ten classes is blamed once in a hundred times, a guesser nearly always."""
    rights = np.random.default_rng(0).binomial(1000, accuracy, 1000)
    blamed = np.mean([is_hardly_better(int(right), 1000, 0.1) for right in rights])
    assert low <= blamed <= high
