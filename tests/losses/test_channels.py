"""NeuronSelectivity and ChannelWise."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

import keras_kd as kd
from tests.losses.batches import common, few, maps, seeds, value
from tests.oracles.maps import selectivity


@common
@given(seeds, few, few, st.integers(1, 5))
def test_selectivity_is_a_squared_distance_of_sets_of_patterns(seed, of_teacher, of_student, side):
    teacher, student = maps(seed, 3, side, side, of_teacher), maps(seed + 1, 3, side, side, of_student)
    loss = kd.losses.NeuronSelectivity(dtype="float64")
    plain = value(loss, teacher, student)
    assert plain == pytest.approx(selectivity(teacher, student).mean(), rel=1e-6, abs=1e-12)
    assert plain >= -1e-12
    assert plain == pytest.approx(value(loss, student, teacher), rel=1e-9, abs=1e-12)
    assert value(loss, teacher, 3 * teacher[..., ::-1]) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(("side", "channels"), [(16, (8, 12)), (3, (64, 48))], ids=["wide", "deep"])
def test_selectivity_makes_no_cube(side, channels):
    specs = [tf.TensorSpec((2, side, side, c)) for c in channels]
    loss = kd.losses.NeuronSelectivity()

    @tf.function(input_signature=specs, autograph=False)
    def run(teacher, student):
        return tf.gradients(loss(teacher, student), student)

    graph = run.get_concrete_function().graph
    sizes = [out.shape.num_elements() or 0 for op in graph.get_operations() for out in op.outputs]
    signal = 2 * side * side * max(channels)
    assert max(sizes) <= max(signal, 2 * min(side**4, max(channels) ** 2))


def test_selectivity_in_float32_is_exact_enough():
    """The kernels cancel: two digits of seven are gone where the student is nearly the teacher."""
    teacher = maps(0, 8, 16, 16, 32)
    student = teacher + 0.1 * maps(1, *teacher.shape)
    exact = kd.losses.NeuronSelectivity(dtype="float64")(teacher, student)
    np.testing.assert_allclose(kd.losses.NeuronSelectivity()(teacher, student), exact, rtol=1e-4)


@pytest.mark.parametrize("loss", [kd.losses.NeuronSelectivity(), kd.losses.ClassAttention()])
@pytest.mark.parametrize("shape", [(2, 8, 8, 4), (2, 3, 3, 24)])
def test_dead_channels_have_no_gradient(loss, shape):
    student = tf.constant(np.maximum(maps(0, *shape), 0) * (np.arange(shape[-1]) > 0))
    with tf.GradientTape() as tape:
        tape.watch(student)
        distance = loss(maps(1, *shape), student)
    gradient = tape.gradient(distance, student).numpy()
    assert np.abs(gradient[..., 0]).max() == 0
    assert 0 < np.abs(gradient[..., 1:]).max() < 1e3


@common
@given(seeds, st.floats(0.5, 20))
def test_channel_wise_ignores_an_offset_of_each_channel(seed, temperature):
    teacher, student, offset = maps(seed, 3, 4, 4, 5), maps(seed + 1, 3, 4, 4, 5), 5 * maps(seed, 5)
    loss = kd.losses.ChannelWise(temperature)
    plain = value(loss, teacher, student)
    assert plain >= 0
    assert value(loss, teacher, student + offset) == pytest.approx(plain, rel=1e-3, abs=1e-5)
    assert value(loss, teacher, teacher - offset) == pytest.approx(0, abs=1e-5)


def test_channel_wise_is_soft_targets_over_positions():
    teacher, student = maps(0, 3, 4, 4, 5), maps(1, 3, 4, 4, 5)
    turned = (np.moveaxis(x, -1, 1).reshape(3, 5, 16) for x in (teacher, student))
    assert value(kd.losses.ChannelWise(2.0), teacher, student) == pytest.approx(
        value(kd.losses.SoftTargets(2.0), *turned), rel=1e-5
    )


def test_channel_wise_takes_a_schedule():
    teacher, student = maps(0, 3, 4, 4, 5), maps(1, 3, 4, 4, 5)
    scheduled = kd.losses.ChannelWise(keras.optimizers.schedules.PolynomialDecay(4.0, 10, 1.0))
    assert float(scheduled(teacher, student, step=10)) == pytest.approx(
        value(kd.losses.ChannelWise(1.0), teacher, student), rel=1e-6
    )


def test_channel_wise_needs_two_positions():
    with pytest.raises(ValueError, match=r"one: \(3, 1, 1, 5\)"):
        kd.losses.ChannelWise()(maps(0, 3, 1, 1, 5), maps(1, 3, 1, 1, 5))
