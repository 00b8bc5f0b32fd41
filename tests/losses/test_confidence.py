"""ConfidenceFiltered: which samples and tokens are left out, and which losses it takes."""

import keras
import numpy as np
import pytest

import keras_kd as kd
from tests.losses.batches import rows

Filtered = kd.losses.ConfidenceFiltered
TEACHER = np.array([[4.0, 0, 0], [0, 4.0, 0], [0, 0, 0.5], [4.0, 0, 0]])
STUDENT = np.random.default_rng(0).normal(size=(4, 3))
LABELS = np.array([0, 0, 2, -1])  # right, wrong, right but unsure, and none


def test_what_the_teacher_gets_wrong_is_dropped():
    plain = rows(kd.losses.SoftTargets(), TEACHER, STUDENT)
    found = rows(Filtered(), (TEACHER, LABELS), STUDENT)
    np.testing.assert_allclose(found, plain * [1, 0, 1, 0], rtol=1e-6)


def test_what_the_teacher_is_unsure_of_is_dropped():
    plain = rows(kd.losses.SoftTargets(), TEACHER, STUDENT)
    np.testing.assert_allclose(rows(Filtered(threshold=0.9), TEACHER, STUDENT), plain * [1, 1, 0, 1], 1e-6)
    both = rows(Filtered(threshold=0.9), (TEACHER, LABELS), STUDENT)
    np.testing.assert_allclose(both, plain * [1, 0, 0, 0], rtol=1e-6)


@pytest.mark.parametrize("name", ["soft_targets", "logits_mse", "jensen_shannon", "dist", "decoupled_kd"])
def test_every_loss_on_logits_can_be_filtered(name):
    inner = kd.losses.get(name)
    labelled = (TEACHER, LABELS)
    plain = rows(inner, labelled if inner.reads_labels else TEACHER, STUDENT)
    loss = Filtered(name, threshold=0.5)
    np.testing.assert_allclose(rows(loss, labelled, STUDENT), plain * [1, 0, 0, 0], rtol=1e-6)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert type(again.loss) is type(inner)
    assert (again.threshold, again.loss.get_config()) == (0.5, loss.loss.get_config())


@pytest.mark.parametrize("inner", ["soft_targets", "dist", "multi_level_logits", "normalized_kd"])
def test_tokens_are_dropped_one_by_one(inner):
    random = np.random.default_rng(0)
    teacher, student = 2 * random.normal(size=(2, 4, 5, 3))
    labels = random.integers(0, 3, (4, 5))
    given_mask = np.arange(5) < np.array([5, 4, 3, 2])[:, None]
    kept = (teacher.argmax(-1) == labels) & given_mask
    loss = kd.losses.get(inner)
    expected = rows(loss, (teacher, labels) if loss.reads_labels else teacher, student, mask=kept)
    found = rows(Filtered(inner), (teacher, labels), student, mask=given_mask)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_schedule_inside_gets_the_step():
    inner = kd.losses.SoftTargets(keras.optimizers.schedules.PolynomialDecay(6.0, 10, 2.0))
    found = rows(Filtered(inner), (TEACHER, LABELS), STUDENT, step=5)
    np.testing.assert_allclose(found, rows(Filtered(), (TEACHER, LABELS), STUDENT), rtol=1e-5)


def test_a_loss_of_ones_own_can_be_filtered():
    class Gap(keras.losses.Loss):
        reads_logits = True

        def call(self, teacher, student):
            return keras.ops.mean(keras.ops.abs(student - teacher), axis=tuple(range(1, student.ndim)))

    loss = Filtered(Gap())
    found = rows(loss, (TEACHER, LABELS), STUDENT)
    np.testing.assert_allclose(found, np.abs(STUDENT - TEACHER).mean(-1) * [1, 0, 1, 0], rtol=1e-5)
    tokens = np.zeros((4, 2, 3))
    for mask in (None, np.ones((4, 2), bool)):
        with pytest.raises(ValueError, match="one value per sample, so padded tokens cannot be left out"):
            loss((tokens, np.zeros((4, 2))), tokens, mask=mask)


def test_a_loss_that_takes_no_mask_is_filtered_by_sample():
    class Gap(kd.losses.SignalLoss):
        reads_logits = True

        def call(self, teacher, student):
            return keras.ops.mean(keras.ops.abs(student - teacher), axis=-1)

    tokens = np.zeros((4, 2, 3))
    with pytest.raises(ValueError, match="cannot leave out single positions"):
        Filtered(Gap())((tokens, np.zeros((4, 2))), tokens)
    with pytest.raises(ValueError, match="cannot leave out padded positions"):
        Filtered(Gap())((tokens, np.zeros((4, 2))), tokens, mask=np.ones((4, 2), bool))


@pytest.mark.parametrize("reduction", ["sum", "mean", None])
def test_the_reduction_and_dtype_are_those_of_the_loss_unless_given(reduction):
    inner = kd.losses.SoftTargets(reduction=reduction, dtype="float64")
    loss = Filtered(inner)
    found = np.asarray(loss((TEACHER, LABELS), STUDENT))
    assert found.dtype == "float64"
    expected = rows(Filtered(), (TEACHER, LABELS), STUDENT)
    reduce = {"sum": np.sum, "mean": np.mean, None: np.asarray}[reduction]
    np.testing.assert_allclose(found, reduce(expected), rtol=1e-5)
    again = Filtered.from_config(loss.get_config())
    assert (again.reduction, again.dtype) == (loss.reduction, "float64")
    given_ = Filtered(inner, reduction="sum_over_batch_size", dtype="float32")
    assert (given_.reduction, given_.dtype) == ("sum_over_batch_size", "float32")


@pytest.mark.parametrize("inner", ["mse", "binary_soft_targets", "bounded_regression", "attention_transfer"])
def test_a_loss_that_reads_no_softmax_cannot_be_filtered(inner):
    with pytest.raises(ValueError, match="judges a teacher by its softmax"):
        Filtered(inner)


@pytest.mark.parametrize("threshold", [-0.1, 1.0, float("nan"), "0.9"])
def test_the_threshold_is_a_probability(threshold):
    with pytest.raises(ValueError, match="`threshold`"):
        Filtered(threshold=threshold)


def test_a_filter_needs_something_to_judge_by():
    with pytest.raises(ValueError, match="nothing to judge the teacher by"):
        Filtered()(TEACHER, STUDENT)
    with pytest.raises(ValueError, match="reads the teacher's logits and the labels"):
        Filtered("decoupled_kd", threshold=0.5)(TEACHER, STUDENT)
