"""Fractions to keep."""

import numpy as np
import pytest

from keras_kd.compression.shrinking.fractions import check_fraction, is_number


@pytest.mark.parametrize("value", [1, 1.0, 0.25, np.float32(0.5)])
def test_fractions(value):
    assert is_number(value)
    check_fraction("keep=", value)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0, r"keep= must be in \(0, 1\]. Received: 0.$"),
        (25, "Received: 25. For 25 %, give 0.25."),
        (101, "Received: 101.$"),
        (float("nan"), "Received: nan.$"),
        ("half", "Received: 'half'.$"),
        (True, "Received: True.$"),
    ],
)
def test_anything_else_is_refused(value, said):
    with pytest.raises(ValueError, match=said):
        check_fraction("keep=", value)
