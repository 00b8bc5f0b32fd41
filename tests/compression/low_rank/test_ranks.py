"""Ranks, fractions of them, and energies."""

import numpy as np
import pytest

from keras_kd.compression.low_rank.ranks import Amount, reaches, relative_error


@pytest.mark.parametrize(
    ("rank", "full", "kept"),
    [(3, 8, 3), (8, 8, 8), (9, 8, 8), (0.5, 8, 4), (1.0, 8, 8), (0.01, 8, 1), (np.float32(0.25), 8, 2)],
)
def test_a_rank_or_a_fraction_of_the_full_one(rank, full, kept):
    assert Amount(rank).of(full) == kept


def test_rounding_is_no_loss():
    assert relative_error(1.0 - 1e-14, 1.0) == 0
    assert relative_error(0.75, 1.0) == 0.5
    assert relative_error(0.0, 0.0) == 0
    assert reaches(np.array([0.5, 1 - 1e-14, 1.0]), 1.0, 1.0).tolist() == [False, True, True]
