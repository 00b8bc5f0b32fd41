"""SoftTargets, HardTargets and LogitsMSE: limits, bounds and what they refuse."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import keras_kd as kd
from tests.losses.batches import common, value
from tests.losses.gradients import value_and_gradients
from tests.oracles.logits import kl
from tests.oracles.row import softmax

logits = arrays("float32", (4, 6), elements=st.floats(-8, 8, width=32))


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_a_schedule_is_in_the_dtype_of_the_computation(dtype):
    teacher, student = np.eye(3), np.zeros((3, 3))
    loss = kd.losses.SoftTargets(lambda step: keras.ops.cast(step, "float32"), dtype=dtype)
    expected = float(kd.losses.SoftTargets(2.0)(teacher, student))
    assert float(loss(teacher, student, step=2)) == pytest.approx(expected, rel=2e-3)


@common
@given(logits, logits, st.floats(0.5, 20))
def test_soft_targets_are_a_divergence(teacher, student, temperature):
    loss = kd.losses.SoftTargets(temperature)
    assert value(loss, teacher, student) >= 0
    assert value(loss, teacher, teacher) == pytest.approx(0, abs=1e-6)
    expected = kl(temperature)(teacher.astype("float64"), student.astype("float64")).mean()
    assert value(loss, teacher, student) == pytest.approx(expected, rel=1e-4, abs=1e-5)


@common
@given(logits, logits, st.floats(-50, 50), st.floats(-50, 50))
def test_soft_targets_ignore_an_offset(teacher, student, a, b):
    loss = kd.losses.SoftTargets(4.0)
    assert value(loss, teacher + a, student + b) == pytest.approx(
        value(loss, teacher, student), rel=1e-2, abs=1e-4
    )


@common
@given(logits, logits)
def test_high_temperature_is_logit_regression(teacher, student):
    teacher, student = (z - z.mean(-1, keepdims=True) for z in (teacher, student))
    limit = ((teacher - student) ** 2).sum(-1).mean() / (2 * teacher.shape[-1])
    assert value(kd.losses.SoftTargets(1000.0), teacher, student) == pytest.approx(limit, rel=2e-2, abs=1e-4)


@common
@given(st.integers(0, 1000), st.floats(0.1, 10), st.floats(-5, 5))
def test_standardized_soft_targets_ignore_affine_maps(seed, scale, offset):
    teacher, student = np.random.default_rng(seed).normal(size=(2, 4, 6))
    loss = kd.losses.SoftTargets(2.0, standardize=True)
    plain = value(loss, teacher, student)
    assert value(loss, scale * teacher + offset, student) == pytest.approx(plain, rel=1e-3)
    assert value(loss, teacher, scale * student + offset) == pytest.approx(plain, rel=1e-3)


@pytest.mark.parametrize("temperature", [0, -1.0, float("nan"), "4"])
def test_temperature_must_be_positive(temperature):
    with pytest.raises(ValueError, match="must be a positive number"):
        kd.losses.SoftTargets(temperature)


def test_a_class_that_only_the_student_suppresses_is_infinitely_far_with_a_finite_gradient():
    """Every other gradient is `q - p`, as without suppressed classes."""
    teacher, student = np.array([[0.0, 1.0, 2.0]]), np.array([[1.0, 0.0, -np.inf]])
    found, (gradient,) = value_and_gradients(kd.losses.SoftTargets(1.0), teacher, student)
    assert found == np.inf
    np.testing.assert_allclose(gradient, softmax(student) - softmax(teacher), rtol=1e-5)


def test_a_class_that_both_suppress_leaves_the_divergence_of_the_others():
    """`16 (p log(p / q) + (1 - p) log((1 - p) / (1 - q)))`, with p and q the sigmoids of the gaps."""
    teacher, student = np.array([[0.0, 6.0, -np.inf]]), np.array([[0.0, 9.0, -np.inf]])
    p, q = (1 / (1 + np.exp(-gap / 4)) for gap in (6, 9))
    expected = 16 * (p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q)))
    assert round(expected, 4) == 0.5698
    found, (gradient,) = value_and_gradients(kd.losses.SoftTargets(4.0), teacher, student)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    np.testing.assert_allclose(gradient, [[4 * (p - q), 4 * (q - p), 0]], rtol=1e-4)
