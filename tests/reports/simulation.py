"""Simulated test sets, on which it is known which student is better."""

import numpy as np
from scipy import stats

from keras_kd.reports.paired_test import compare_scores


def simulated(rng, accuracies, samples, seeds=1):
    """Answers of two kinds of students: some samples are hard for all, and each training has its own luck.

    Of one training each, it is these two students whose accuracies are given.
    """
    scale = 0.05 if seeds > 1 else 0.0
    difficulty, luck = rng.normal(size=samples), rng.normal(scale=scale, size=(2, seeds, 1))
    noise = rng.normal(size=(2, seeds, samples))
    hard = 0.9 * difficulty + np.sqrt(1 - 0.9**2) * noise + luck
    limits = stats.norm.ppf(accuracies) * np.sqrt(1 + scale**2)
    right = (hard < limits[:, None, None]).astype(int)
    return right[:, 0] if seeds == 1 else right


def outcomes(accuracies, sets, samples, seeds=1):
    """The share of each outcome over simulated test sets."""
    rng = np.random.default_rng(0)
    found = [compare_scores(*simulated(rng, accuracies, samples, seeds)).outcome for _ in range(sets)]
    return {outcome: found.count(outcome) / sets for outcome in ("better", "inconclusive", "worse")}
