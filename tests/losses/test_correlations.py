"""DIST: invariances, batches without variance, positions."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import keras_kd as kd
from tests.losses.batches import common, seeds, value
from tests.oracles.row import softmax

logits = arrays("float32", (5, 6), elements=st.floats(-4, 4, width=32))


def value_and_gradient(loss, teacher, student):
    student = tf.constant(student)
    with tf.GradientTape() as tape:
        tape.watch(student)
        found = loss(teacher, student)
    return float(found), tape.gradient(found, student).numpy()


@common
@given(seeds, st.floats(0.05, 1.0))
def test_dist_ignores_affine_maps_of_probabilities(seed, scale):
    """`a p + (1 - a) / K` is the affine map that leaves rows distributions; it is one of each class too."""
    teacher, student = np.random.default_rng(seed).normal(size=(2, 5, 6))
    mapped = np.log(scale * softmax(student) + (1 - scale) / 6)
    for loss in (kd.losses.DIST(), kd.losses.DIST(beta=0.0), kd.losses.DIST(gamma=0.0)):
        assert value(loss, teacher, mapped) == pytest.approx(value(loss, teacher, student), abs=1e-4)
        assert value(loss, student, mapped) == pytest.approx(0, abs=1e-4)


@common
@given(seeds)
def test_the_rows_of_dist_may_be_mapped_one_by_one(seed):
    random = np.random.default_rng(seed)
    teacher, student = random.normal(size=(2, 5, 6))
    scale = random.uniform(0.05, 1, (5, 1))
    mapped = np.log(scale * softmax(student) + (1 - scale) / 6)
    loss = kd.losses.DIST(gamma=0.0)
    assert value(loss, teacher, mapped) == pytest.approx(value(loss, teacher, student), abs=1e-4)


@common
@given(logits, logits, st.floats(0, 3), st.floats(0, 3))
def test_dist_is_bounded(teacher, student, beta, gamma):
    found = value(kd.losses.DIST(beta, gamma), teacher, student)
    assert -1e-5 <= found <= 2 * (beta + gamma) + 1e-5


@pytest.mark.parametrize("flat", ["teacher", "student", "both"])
def test_dist_without_variance_has_no_gradient(flat):
    random = np.random.default_rng(0)
    teacher, student = random.normal(size=(2, 5, 6)).astype("float32")
    student = np.full_like(student, 0.3) if flat != "teacher" else student
    teacher = np.full_like(teacher, -7.1) if flat != "student" else teacher
    found, gradient = value_and_gradient(kd.losses.DIST(), teacher, student)
    assert found == pytest.approx(2.0)
    assert np.abs(gradient).max() == 0


@pytest.mark.parametrize(("rare", "damping"), [(1e-2, 0), (1e-3, 0.005), (1e-4, 0.333), (1e-6, 1)])
def test_dist_damps_a_class_that_is_rare(rare, damping):
    """The published 1e-8 beside a variance of `2 rare^2`: a third of the class is gone at 1e-4."""
    probabilities = np.array([[rare, 0.5, 0.5], [2 * rare, 0.4, 0.6], [3 * rare, 0.7, 0.3]])
    found, gradient = value_and_gradient(kd.losses.DIST(beta=0.0), *2 * [np.log(probabilities)])
    assert found == pytest.approx(damping / 3, abs=1e-3)
    assert np.isfinite(gradient).all()


def test_in_a_batch_of_one_dist_reads_the_row():
    teacher, student = np.random.default_rng(0).normal(size=(2, 1, 6))
    found, gradient = value_and_gradient(kd.losses.DIST(), teacher, student)
    assert found == pytest.approx(1 + value(kd.losses.DIST(gamma=0.0), teacher, student), rel=1e-5)
    assert np.isfinite(gradient).all()


def test_pixels_join_the_batch_as_in_the_segmentation_code():
    teacher, student = np.random.default_rng(0).normal(size=(2, 3, 4, 5, 6))
    joined = value(kd.losses.DIST(), teacher.reshape(-1, 6), student.reshape(-1, 6))
    assert value(kd.losses.DIST(), teacher, student) == pytest.approx(joined, rel=1e-5)


def test_weights_of_dist_are_not_negative():
    for wrong in ({"beta": -1}, {"gamma": float("inf")}):
        with pytest.raises(ValueError, match="at least 0"):
            kd.losses.DIST(**wrong)
