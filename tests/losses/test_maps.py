"""What is particular to the losses that read maps."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

import keras_kd as kd
from tests.oracles.maps import flows, selectivity

REFERENCE = np.load(Path(__file__).parent.parent / "data" / "losses.npz")
common = settings(max_examples=25, deadline=None, derandomize=True)
seeds, few = st.integers(0, 1000), st.integers(1, 6)


def maps(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


def value(loss, teacher, student):
    return float(loss(teacher, student))


@common
@given(seeds, st.sampled_from([1, 2, 3]), st.floats(0.1, 10))
def test_factors_survive_scale_and_the_order_of_channels(seed, power, scale):
    teacher, student = maps(seed, 3, 4, 4, 5), maps(seed + 1, 3, 4, 4, 2)
    loss = kd.losses.FactorTransfer(p1=power)
    plain = value(loss, teacher, student)
    assert value(loss, scale * teacher, student) == pytest.approx(plain, rel=1e-4)
    assert value(loss, teacher, scale * student[..., ::-1]) == pytest.approx(plain, rel=1e-4)


@pytest.mark.parametrize("powers", [{"p1": 0}, {"p1": 1.5}, {"p2": 0.5}, {"p2": float("nan")}])
def test_powers_of_factors(powers):
    with pytest.raises(ValueError, match="at least 1"):
        kd.losses.FactorTransfer(**powers)


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


def test_flow_equals_the_published_reference():
    teacher, student = (
        tuple(REFERENCE[f"fsp/{side}_{end}"] for end in ("first", "last")) for side in ("teacher", "student")
    )
    for dtype in ("float32", "float64"):
        np.testing.assert_allclose(
            kd.losses.SolutionFlow(dtype=dtype)(teacher, student), REFERENCE["fsp/value"], rtol=1e-5
        )


@common
@given(seeds, few, few, st.integers(1, 3))
def test_flow_is_a_mean_over_positions_in_any_order(seed, first, last, ratio):
    random = np.random.default_rng(seed)
    teacher, student = (
        (random.normal(size=(2, 4 * ratio, 4 * ratio, first)), random.normal(size=(2, 4, 4, last)))
        for _ in range(2)
    )
    loss = kd.losses.SolutionFlow()
    assert value(loss, teacher, student) == pytest.approx(flows(teacher, student).mean(), rel=1e-4)
    tokens = [x.reshape(2, 16, -1) for x in (random.normal(size=(2, 16, first)), student[1])]
    order = random.permutation(16)
    assert value(loss, teacher, tuple(x[:, order] for x in tokens)) == pytest.approx(
        value(loss, teacher, tuple(tokens)), rel=1e-4
    )


def test_flow_names_what_it_reads():
    first, last = maps(0, 2, 4, 4, 3), maps(1, 2, 4, 4, 5)
    loss = kd.losses.SolutionFlow()
    with pytest.raises(ValueError, match=r"student=\('stage1', 'stage2'\). Received: teacher \(2, 4, 4, 3\)"):
        loss(first, first)
    with pytest.raises(ValueError, match="Received: teacher a tuple of 1"):
        loss((first,), (first,))
    with pytest.raises(ValueError, match="3 of the teacher, 2 of the student"):
        loss((first, last, last), (first, last))
    with pytest.raises(ValueError, match=r"teacher \(3, 5\), student \(5, 3\).*project=True"):
        loss((first, last), (last, first))
    with pytest.raises(ValueError, match="tap a layer before pooling"):
        loss((first, maps(0, 2, 5)), (first, last))


@common
@given(seeds, few)
def test_context_of_maps_of_size_one_is_the_squared_error(seed, channels):
    teacher, student = maps(seed, 3, 1, 1, channels), maps(seed + 1, 3, 1, 1, channels)
    loss, expected = kd.losses.HierarchicalContext(), ((teacher - student) ** 2).mean()
    assert value(loss, teacher, student) == pytest.approx(expected, rel=1e-5)
    assert value(loss, teacher[:, 0, 0], student) == pytest.approx(expected, rel=1e-5)
    assert value(loss, teacher[:, 0, 0], student[:, 0, 0]) == pytest.approx(expected, rel=1e-5)


def test_context_of_unlike_tuples():
    first = maps(0, 2, 4, 4, 3)
    with pytest.raises(ValueError, match="2 of the teacher, 1 of the student"):
        kd.losses.HierarchicalContext()((first, first), first)
    with pytest.raises(ValueError, match=r"one shape. Received: teacher \(2, 4, 4, 3\), student"):
        kd.losses.HierarchicalContext()(first, maps(0, 2, 4, 4, 5))
    unknown = keras.Input((None, None, 3))
    with pytest.raises(ValueError, match="a known size"):
        kd.losses.HierarchicalContext().call(unknown, unknown)


@common
@given(seeds, st.integers(1, 3), st.booleans())
def test_class_maps_are_positions_times_the_kernel(seed, size, normalize):
    teacher, student = maps(seed, 2, 5, 4, 6), maps(seed + 1, 2, 3, 3, 4)
    kernels = maps(seed + 2, 6, 7), maps(seed + 3, 4, 7)
    loss = kd.losses.ClassAttention(size, normalize)
    assert value(loss, (teacher, kernels[0]), (student, kernels[1])) == pytest.approx(
        value(loss, teacher @ kernels[0], student @ kernels[1]), rel=1e-4
    )


def test_class_maps_of_one_cell_are_the_logits():
    teacher, student = maps(0, 2, 4, 4, 6), maps(1, 2, 4, 4, 3)
    kernels = maps(2, 6, 7), maps(3, 3, 7)
    logits = (x.mean((1, 2)) @ kernel for x, kernel in zip((teacher, student), kernels, strict=True))
    loss = kd.losses.ClassAttention(size=1, normalize=False)
    assert value(loss, (teacher, kernels[0]), (student, kernels[1])) == pytest.approx(
        value(kd.losses.LogitsMSE(), *logits), rel=1e-5
    )


def test_a_kernel_fits_its_map():
    loss, first = kd.losses.ClassAttention(), maps(0, 2, 4, 4, 6)
    with pytest.raises(ValueError, match=r"of the student: \(2, 4, 4, 6\), \(7, 6\). Tap them as student="):
        loss((first, maps(1, 6, 7)), (first, maps(1, 7, 6)))
    with pytest.raises(ValueError, match="one shape"):
        loss((first, maps(1, 6, 7)), (first, maps(1, 6, 8)))
    with pytest.raises(ValueError, match="`size` must be an integer"):
        kd.losses.ClassAttention(0)
