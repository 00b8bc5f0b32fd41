"""BinarySoftTargets: a yes or no per class, its limits, and that it is a divergence."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import keras_kd as kd
from tests.losses.batches import common, value

logits = arrays("float32", (4, 6), elements=st.floats(-8, 8, width=32))
temperatures = st.floats(0.5, 20)


@common
@given(logits, logits, temperatures)
def test_a_yes_or_no_is_two_classes_of_which_one_has_the_logit_zero(teacher, student, temperature):
    def two(z):
        return np.stack([z.ravel(), np.zeros(z.size)], -1)

    binary = value(kd.losses.BinarySoftTargets(temperature), teacher, student)
    both = value(kd.losses.SoftTargets(temperature), two(teacher), two(student))
    assert binary == pytest.approx(6 * both, rel=1e-4, abs=1e-5)


@common
@given(logits, logits)
def test_binary_at_high_temperature_is_logit_regression(teacher, student):
    """The slope of the sigmoid at 0 is 1/4, and a divergence is half the square over the variance, 1/4."""
    limit = ((teacher - student) ** 2).sum(-1).mean() / 8
    assert value(kd.losses.BinarySoftTargets(1000.0), teacher, student) == pytest.approx(
        limit, rel=1e-3, abs=1e-5
    )


@common
@given(logits, logits, temperatures)
def test_binary_is_a_divergence(teacher, student, temperature):
    loss = kd.losses.BinarySoftTargets(temperature)
    assert value(loss, teacher, student) >= 0
    assert value(loss, teacher, teacher) == 0
