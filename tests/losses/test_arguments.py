"""Checks of arguments: what is accepted, as what, and what the errors say."""

import numpy as np
import pytest

from keras_kd.losses.arguments import (
    check_integer,
    check_not_negative,
    check_positive,
    check_positive_or_schedule,
)

NO_NUMBERS = [float("nan"), float("inf"), "1", None, [1.0]]


@pytest.mark.parametrize("value", [4, 0.5, np.float32(2.0), np.int64(3)])
def test_numbers_become_floats(value):
    for check in (check_positive, check_not_negative, check_positive_or_schedule):
        assert check("x", value) == float(value)
        assert type(check("x", value)) is float


@pytest.mark.parametrize("value", [0, -1.0, *NO_NUMBERS])
def test_a_positive_number_is_above_zero(value):
    with pytest.raises(ValueError, match=r"`temperature` must be a positive number\. Received: "):
        check_positive("temperature", value)
    with pytest.raises(ValueError, match=r"must be a positive number or a schedule of the step. Received: "):
        check_positive_or_schedule("temperature", value)


@pytest.mark.parametrize("value", [-1e-9, *NO_NUMBERS])
def test_a_number_that_is_not_negative_may_be_zero(value):
    assert check_not_negative("beta", 0) == 0.0
    with pytest.raises(ValueError, match=r"`beta` must be a number of at least 0. Received: "):
        check_not_negative("beta", value)


def test_a_schedule_is_returned_as_it_is():
    assert check_positive_or_schedule("temperature", abs) is abs


@pytest.mark.parametrize("value", [3, np.int32(3), np.uint8(3)])
def test_integers_become_python_integers(value):
    assert type(check_integer("units", value)) is int
    assert check_integer("units", value, least=3) == 3


@pytest.mark.parametrize("value", [2, 3.0, "3", None, True, np.array([3, 4])])
def test_an_integer_is_no_float_and_no_bool_and_large_enough(value):
    with pytest.raises(ValueError, match=r"`units` must be an integer of at least 3. Received: "):
        check_integer("units", value, least=3)


def test_floats_without_a_fraction_count_as_integers_where_that_is_allowed():
    assert check_integer("size", 2.0, floats=True) == 2
    for value in (2.5, float("nan"), float("inf"), 0.0, True):
        with pytest.raises(ValueError, match="`size` must be an integer of at least 1"):
            check_integer("size", value, floats=True)
