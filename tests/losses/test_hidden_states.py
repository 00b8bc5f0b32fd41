"""CosineHidden."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import keras_kd as kd
from tests.losses.batches import common, seeds, value, vectors


@common
@given(seeds, st.floats(0.1, 10))
def test_the_cosine_ignores_length_and_is_half_of_patient_distillation(seed, scale):
    teacher, student = vectors(seed, (4, 5, 6), (4, 5, 6))
    loss = kd.losses.CosineHidden()
    plain = value(loss, teacher, student)
    assert value(loss, teacher, scale * student) == pytest.approx(plain, rel=1e-4)
    t, s = (x / np.linalg.norm(x, axis=-1, keepdims=True) for x in (teacher, student))
    assert 2 * plain == pytest.approx(((s - t) ** 2).sum(-1).mean(), rel=1e-4)


def test_maps_of_two_sizes_are_pooled_for_the_cosine():
    (maps,) = vectors(0, (2, 4, 4, 3))
    pooled = maps.reshape(2, 2, 2, 2, 2, 3).mean((2, 4))
    assert value(kd.losses.CosineHidden(), maps, pooled) == pytest.approx(0, abs=1e-6)


def test_opposite_states_are_farthest():
    (teacher,) = vectors(0, (4, 6))
    assert value(kd.losses.CosineHidden(), teacher, -teacher) == pytest.approx(2, rel=1e-6)


def test_hidden_states_of_two_widths_are_refused():
    with pytest.raises(ValueError, match="same shape"):
        kd.losses.CosineHidden()(np.ones((4, 5, 6)), np.ones((4, 5, 3)))
