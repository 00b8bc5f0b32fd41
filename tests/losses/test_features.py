"""Elementwise: which losses of Keras and functions it takes, and what it refuses."""

import keras
import numpy as np
import pytest

import keras_kd as kd
from tests.losses.batches import value


def test_elementwise_takes_what_keras_takes():
    teacher, student = np.ones((4, 6, 6, 2), "float32"), np.zeros((4, 6, 6, 2), "float32")
    for loss in ("mae", keras.losses.MeanAbsoluteError(), keras.losses.mean_absolute_error):
        assert float(kd.losses.Elementwise(loss)(teacher, student)) == 1.0
    assert float(kd.losses.Elementwise(keras.losses.Huber(0.5))(teacher, student)) == pytest.approx(0.375)


def test_elementwise_of_vectors_of_rank_one():
    teacher, student = np.arange(4.0), np.zeros(4)
    loss = kd.losses.Elementwise("mse", reduction=None)
    np.testing.assert_allclose(loss(teacher, student), teacher**2)


def test_a_function_of_ones_own_may_take_any_shapes():
    def widths(teacher, student):
        return keras.ops.sum(teacher, -1) - keras.ops.sum(student, -1)

    assert float(kd.losses.Elementwise(widths)(np.ones((4, 3)), np.ones((4, 2)))) == 1.0


def test_a_scalar_is_refused():
    with pytest.raises(ValueError, match="returned a scalar, so sample weights would be lost"):
        kd.losses.Elementwise(lambda t, s: keras.ops.mean(t - s))(np.ones((4, 3)), np.ones((4, 3)))


def test_the_reduction_of_a_loss_of_keras_is_kept():
    total = kd.losses.get(keras.losses.MeanSquaredError(reduction="sum"))
    assert float(total(np.ones((4, 3)), np.zeros((4, 3)))) == 4.0
    each = kd.losses.Elementwise(keras.losses.MeanSquaredError(reduction="sum"), reduction=None)
    assert each(np.ones((4, 3)), np.zeros((4, 3))).shape == (4,)


def test_the_weights_of_a_loss_of_ones_own_are_of_samples():
    class PerToken(keras.losses.Loss):
        def call(self, teacher, student):
            return keras.ops.mean((teacher - student) ** 2, axis=-1)

    teacher, student = np.random.default_rng(0).normal(size=(2, 3, 3, 4))
    weights = np.array([0.0, 1.0, 2.0])
    value = kd.losses.get(PerToken())(teacher, student, weights)
    expected = (((teacher - student) ** 2).mean((1, 2)) * weights).mean()
    np.testing.assert_allclose(value, expected, rtol=1e-6)


def test_a_loss_of_keras_reads_maps_of_two_sizes():
    teacher, student = np.ones((2, 6, 6, 3)), np.zeros((2, 3, 2, 3))
    for loss in ("mse", "mae", keras.losses.Huber(), "cosine_similarity"):
        assert np.isfinite(value(kd.losses.Elementwise(loss), teacher, student))


def test_it_declares_what_the_inner_loss_reads():
    crossentropy = keras.losses.CategoricalCrossentropy
    for loss, probabilities, logits in (
        ("mse", False, False),
        ("kl_divergence", True, False),
        (keras.losses.binary_crossentropy, True, False),
        (crossentropy(), True, False),
        (crossentropy(from_logits=True), True, True),
        (lambda teacher, student: teacher, False, False),
    ):
        found = kd.losses.Elementwise(loss)
        assert (found.reads_probabilities, found.takes_student_logits) == (probabilities, logits), found.name

    class OfLogits(keras.losses.Loss):
        reads_logits = True
        undoes = ("sigmoid",)

        def call(self, teacher, student):
            return keras.ops.mean(student - teacher, axis=-1)

    found = kd.losses.Elementwise(OfLogits())
    assert (found.reads_logits, found.undoes, found.reads_probabilities) == (True, ("sigmoid",), False)
    assert found.teacher_signals == found.student_signals == (1, float("inf"))
