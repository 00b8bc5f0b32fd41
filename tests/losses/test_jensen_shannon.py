"""JensenShannon: bounds, symmetry, its ends, and its limit at high temperature."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import keras_kd as kd
from tests.losses.batches import common, value

logits = arrays("float32", (4, 6), elements=st.floats(-8, 8, width=32))
temperatures = st.floats(0.5, 20)
shares = st.floats(0.05, 0.95)


@common
@given(logits, logits, shares, temperatures)
def test_jensen_shannon_is_bounded_and_mirrored(teacher, student, beta, temperature):
    found = value(kd.losses.JensenShannon(beta, temperature), teacher, student)
    entropy = -beta * np.log(beta) - (1 - beta) * np.log(1 - beta)
    assert 0 <= found <= temperature**2 * entropy * (1 + 1e-5)
    mirrored = value(kd.losses.JensenShannon(1 - beta, temperature), student, teacher)
    assert mirrored == pytest.approx(found, rel=1e-4, abs=1e-5)


@common
@given(logits, logits)
def test_jensen_shannon_is_symmetric_in_the_middle(teacher, student):
    loss = kd.losses.JensenShannon()
    assert value(loss, teacher, student) == pytest.approx(value(loss, student, teacher), rel=1e-5, abs=1e-7)
    assert value(loss, teacher, student) <= np.log(2) + 1e-6
    assert value(loss, teacher, teacher) == 0


@common
@given(logits, logits, st.booleans())
def test_the_ends_of_jensen_shannon_are_its_slopes(teacher, student, reverse):
    teacher, student = teacher / 4, student / 4
    end = value(kd.losses.JensenShannon(float(reverse)), teacher, student)
    near = value(kd.losses.JensenShannon(1 - 1e-4 if reverse else 1e-4), teacher, student)
    assert near / 1e-4 == pytest.approx(end, rel=2e-2, abs=1e-4)
    pair = (student, teacher) if reverse else (teacher, student)
    assert end == pytest.approx(value(kd.losses.SoftTargets(1.0), *pair), rel=1e-5, abs=1e-7)


@common
@given(logits, logits, shares)
def test_jensen_shannon_at_high_temperature_is_logit_regression(teacher, student, beta):
    """The mixture lies `1 - beta` of the way from the teacher: the shares multiply."""
    teacher, student = (z - z.mean(-1, keepdims=True) for z in (teacher, student))
    limit = beta * (1 - beta) * ((teacher - student) ** 2).sum(-1).mean() / (2 * teacher.shape[-1])
    found = value(kd.losses.JensenShannon(beta, 1000.0), teacher, student)
    assert found == pytest.approx(limit, rel=2e-2, abs=1e-4)


@pytest.mark.parametrize("beta", [-0.1, 1.1, float("nan"), "0.5"])
def test_beta_is_a_number_from_0_to_1(beta):
    with pytest.raises(ValueError, match="`beta` must be a number"):
        kd.losses.JensenShannon(beta)


@pytest.mark.parametrize("beta", [1e-6, 0.5, 1 - 1e-6])
def test_jensen_shannon_of_opposite_models_is_finite(beta):
    student = tf.constant([[1e4, -1e4, 0.0]])
    with tf.GradientTape() as tape:
        tape.watch(student)
        found = kd.losses.JensenShannon(beta)(np.array([[-1e4, 1e4, 0.0]]), student)
    assert 0 < float(found) < np.log(2) + 1e-6
    assert np.isfinite(tape.gradient(found, student)).all()


def test_the_reverse_divergence_is_infinite_where_only_the_teacher_suppresses_a_class():
    teacher, student = np.array([[1.0, 2.0, -np.inf]]), np.array([[1.0, 2.0, 3.0]])
    loss = kd.losses.JensenShannon(beta=1.0)
    assert float(loss(teacher, student)) == np.inf
    both = np.where(np.isinf(teacher), teacher, student)
    np.testing.assert_allclose(loss(teacher, both), 0, atol=1e-7)
