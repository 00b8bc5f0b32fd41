"""Fractions of zeros, and what is none."""

import numpy as np
import pytest

from keras_kd.compression.pruning.fractions import check_fraction, is_number


@pytest.mark.parametrize("value", [0, 0.0, 0.25, 0.999, np.float32(0.5), np.int64(0)])
def test_fractions_become_floats(value):
    found = check_fraction(value, "sparsity")
    assert type(found) is float
    assert found == value


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (1, "`sparsity` is the fraction of zeros, from 0 to less than 1. Received: 1."),
        (80, "Received: 80. Did you mean 0.8?"),
        (-0.1, "Received: -0.1."),
        ("kep", "Received: 'kep'. Did you mean 'keep'?"),
        ("0.8", "Received: '0.8'."),
        (True, "Received: True."),
        (float("nan"), "Received: nan."),
    ],
)
def test_other_values_are_refused_with_a_near_miss(value, message):
    with pytest.raises(ValueError) as error:
        check_fraction(value, "sparsity")
    assert str(error.value).endswith(message)


def test_booleans_and_arrays_are_no_numbers():
    assert is_number(3)
    assert is_number(np.float16(0.5))
    assert not any(map(is_number, (True, np.True_, "3", None, np.ones(1), 1j)))
