"""ActivationBoundary."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import keras_kd as kd
from tests.losses.batches import common, maps, seeds, value


@common
@given(seeds, st.floats(0.01, 100), st.floats(0.1, 3))
def test_the_boundary_sees_the_sign_of_the_teacher_only(seed, scale, margin):
    teacher, student = maps(seed, 2, 3, 3, 4), maps(seed + 1, 2, 3, 3, 4)
    loss = kd.losses.ActivationBoundary(margin)
    assert value(loss, scale * teacher, student) == value(loss, np.sign(teacher), student)
    assert value(loss, teacher, 1.01 * margin * np.sign(teacher)) == 0


@pytest.mark.parametrize("margin", [0, -1.0, float("nan")])
def test_the_boundary_needs_a_margin(margin):
    with pytest.raises(ValueError, match="`margin` must be a positive number"):
        kd.losses.ActivationBoundary(margin)
