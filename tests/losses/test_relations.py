"""SimilarityPreserving and ProbabilisticTransfer: what leaves them unchanged."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

import keras_kd as kd
from keras_kd.losses.relations import _neighbours
from tests.losses.batches import common, rotation, scales, seeds, value, vectors
from tests.losses.gradients import value_and_gradients


@common
@given(st.integers(0, 1000))
def test_similarities_survive_rotation_and_scale(seed):
    random = np.random.default_rng(seed)
    teacher, student = random.normal(size=(5, 8)), random.normal(size=(5, 6))
    rotation, _ = np.linalg.qr(random.normal(size=(6, 6)))
    loss = kd.losses.SimilarityPreserving()
    plain = value(loss, teacher, student)
    assert value(loss, teacher, 3 * student @ rotation) == pytest.approx(plain, rel=1e-3)


@pytest.mark.parametrize(
    "loss",
    [
        kd.losses.RelationalDistance(),
        kd.losses.RelationalAngle(),
        kd.losses.ProbabilisticTransfer(),
        kd.losses.CorrelationCongruence(),
        kd.losses.ContrastiveRepresentation(),
    ],
    ids=lambda loss: loss.name,
)
def test_no_tensor_grows_with_samples_times_samples_times_width(loss):
    samples, width = 4, 1000

    @tf.function(autograph=False)
    def run(teacher, student):
        with tf.GradientTape() as tape:
            tape.watch(student)
            found = loss(teacher, student)
        return tape.gradient(found, student)

    spec = tf.TensorSpec((samples, width))
    shapes = [
        out.shape for op in run.get_concrete_function(spec, spec).graph.get_operations() for out in op.outputs
    ]
    assert max(shape.num_elements() or 0 for shape in shapes) == samples * width


@common
@given(seeds, st.lists(scales, min_size=5, max_size=5))
def test_probabilistic_transfer_ignores_the_length_of_each_sample(seed, lengths):
    teacher, student = vectors(seed, (5, 8), (5, 6))
    loss, lengths = kd.losses.ProbabilisticTransfer(), np.array(lengths)[:, None]
    plain = value(loss, teacher, student)
    assert value(loss, teacher, lengths * student @ rotation(seed, 6)) == pytest.approx(plain, rel=1e-3)
    assert value(loss, lengths * teacher, student) == pytest.approx(plain, rel=1e-3)


@common
@given(seeds)
def test_neighbour_probabilities_sum_to_one(seed):
    (student,) = vectors(seed, (5, 6))
    student[0] = 0
    student[2] = -student[1]
    probabilities = np.asarray(_neighbours(tf.constant(student, tf.float32)))
    np.testing.assert_allclose(probabilities.sum(-1), 1, rtol=1e-6)
    assert (probabilities >= 0).all()


def test_opposite_samples_are_finite():
    teacher, student = np.array([[1.0, 0], [0, 1.0]]), np.array([[1.0, 0], [-1.0, 0]])
    found, (gradient,) = value_and_gradients(kd.losses.ProbabilisticTransfer(), teacher, student)
    assert np.isfinite(found)
    assert np.isfinite(gradient).all()
