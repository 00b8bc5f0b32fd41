"""ClassCorrelation, BatchCorrelation and MultiLevelLogits: distances, positions, masks."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import keras_kd as kd
from tests.losses.batches import REFERENCE, common, value

logits = arrays("float32", (5, 6), elements=st.floats(-4, 4, width=32))
CORRELATIONS = [kd.losses.DIST, kd.losses.ClassCorrelation, kd.losses.BatchCorrelation]
ALL = [*CORRELATIONS, kd.losses.MultiLevelLogits]


def value_and_gradient(loss, teacher, student):
    student = tf.constant(student)
    with tf.GradientTape() as tape:
        tape.watch(student)
        found = loss(teacher, student)
    return float(found), tape.gradient(found, student).numpy()


def each(make, teacher, student, **call):
    return keras.ops.convert_to_numpy(make(reduction=None)(teacher, student, **call))


@common
@given(logits, logits)
def test_correlations_are_distances(teacher, student):
    for make in (kd.losses.ClassCorrelation, kd.losses.BatchCorrelation):
        found = value(make(1.0), teacher, student)
        assert found >= 0
        assert value(make(1.0), student, teacher) == pytest.approx(found, rel=1e-4, abs=1e-6)
        assert value(make(1.0), teacher, teacher) == 0


@common
@given(logits, logits, st.lists(st.floats(0.5, 8), min_size=1, max_size=4))
def test_multi_level_is_the_sum_of_its_parts(teacher, student, temperatures):
    parts = (kd.losses.SoftTargets, kd.losses.ClassCorrelation, kd.losses.BatchCorrelation)
    expected = sum(value(part(t), teacher, student) for part in parts for t in temperatures)
    found = value(kd.losses.MultiLevelLogits(tuple(temperatures)), teacher, student)
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("case", ["plain", "confident", "many"])
def test_one_level_is_the_published_terms(case):
    teacher, student = (REFERENCE[f"logits/{case}/{side}"] for side in ("teacher", "student"))
    loss = kd.losses.MultiLevelLogits((4,), dtype="float64")
    found = value_and_gradient(loss, teacher, student)
    terms = ("kd_T4", "class_corr_T4", "batch_corr_T4")
    for ours, kind in zip(found, ("value", "grad"), strict=True):
        expected = sum(REFERENCE[f"logits/{case}/{term}/{kind}"] for term in terms)
        np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("make", ALL)
def test_more_of_the_same_positions_change_nothing(make):
    teacher, student = np.random.default_rng(0).normal(size=(2, 4, 6))
    maps = [np.tile(z[:, None, None], (1, 2, 3, 1)) for z in (teacher, student)]
    np.testing.assert_allclose(each(make, *maps), each(make, teacher, student), rtol=1e-4)


@pytest.mark.parametrize("make", ALL)
def test_a_sample_that_is_all_padding_is_zero_and_no_other_notices(make):
    teacher, student = np.random.default_rng(0).normal(size=(2, 4, 5, 6))
    mask = np.array([[False] * 5, [True] * 5, [True] * 5, [True] * 5])
    exact = functools.partial(make, dtype="float64")  # the differences of the products are small
    found = each(exact, teacher, student, mask=mask)
    assert found[0] == 0
    np.testing.assert_allclose(found[1:], each(exact, teacher[1:], student[1:]), rtol=1e-5)


@pytest.mark.parametrize("make", ALL)
def test_a_mask_of_rows_leaves_out_rows(make):
    teacher, student = np.random.default_rng(0).normal(size=(2, 4, 5, 2, 6))
    mask = np.arange(5) < np.full((4, 1), 3)
    np.testing.assert_allclose(
        each(make, teacher, student, mask=mask), each(make, teacher[:, :3], student[:, :3]), rtol=1e-5
    )


def test_batch_correlation_of_maps_makes_no_matrix_of_pixels():
    """Of 2 x 256 x 256 pixels it would have 68 gigabytes."""
    teacher, student = np.random.default_rng(0).normal(size=(2, 2, 256, 256, 3)).astype("float32")
    assert np.isfinite(value(kd.losses.BatchCorrelation(), teacher, student))


@pytest.mark.parametrize("temperatures", [(), 4, (4, 0), (2, "3"), (float("nan"),), None])
def test_temperatures_are_positive_numbers(temperatures):
    with pytest.raises(ValueError, match="`temperatures` must be"):
        kd.losses.MultiLevelLogits(temperatures)


def test_temperatures_come_back_from_a_configuration():
    loss = kd.losses.MultiLevelLogits((1, 2.5))
    again = kd.losses.MultiLevelLogits.from_config(loss.get_config())
    assert again.temperatures == (1.0, 2.5)
    assert again.get_config() == loss.get_config()
