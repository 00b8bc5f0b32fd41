"""Maps of two sizes meet in one place."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

import keras_kd as kd
from keras_kd.losses.pooling import match_maps, pool_larger_axes, pool_to
from tests.losses.batches import common

sizes = st.integers(1, 9)
POSITIONWISE = (
    "mse attention_transfer factor_transfer neuron_selectivity channel_wise activation_boundary "
    "masked_generation cosine_hidden"
)


def adaptive(x, axis, size):
    length = x.shape[axis]
    bounds = [(i * length // size, -(-(i + 1) * length // size)) for i in range(size)]
    return np.stack([x.take(range(a, b), axis).mean(axis) for a, b in bounds], axis)


def to_size(x, size):
    for axis, cells in enumerate(size, 1):
        x = adaptive(x, axis, cells)
    return x


def maps(*shape):
    return np.random.default_rng(0).normal(size=shape)


@common
@given(st.integers(1, 9), st.integers(1, 9))
def test_pooling_keeps_the_mean_of_a_map_that_divides(small, factor):
    maps = np.random.default_rng(small).normal(size=(2, small * factor, small * factor, 3))
    pooled, _ = match_maps(keras.ops.convert_to_tensor(maps), keras.ops.zeros((2, small, small, 3)))
    assert pooled.shape == (2, small, small, 3)
    np.testing.assert_allclose(np.mean(pooled, (1, 2)), maps.mean((1, 2)), rtol=1e-4, atol=1e-5)


@common
@given(st.integers(1, 12), st.integers(1, 12))
def test_pooling_is_adaptive_pooling(large, small):
    large, small = max(large, small), min(large, small)
    maps = np.random.default_rng(large).normal(size=(2, large, 4, 1))
    pooled, _ = match_maps(keras.ops.convert_to_tensor(maps), keras.ops.zeros((2, small, 4, 1)))
    starts = [i * large // small for i in range(small)]
    ends = [-(-(i + 1) * large // small) for i in range(small)]
    expected = np.stack([maps[:, a:b].mean(1) for a, b in zip(starts, ends, strict=True)], 1)
    np.testing.assert_allclose(pooled, expected, rtol=1e-5, atol=1e-6)


@common
@given(st.tuples(sizes, sizes), st.tuples(sizes, sizes))
def test_each_axis_goes_to_the_smaller(of_teacher, of_student):
    teacher, student = maps(2, *of_teacher, 3), maps(2, *of_student, 2)
    size = np.minimum(of_teacher, of_student)
    for ours, given_ in zip(match_maps(teacher, student), (teacher, student), strict=True):
        np.testing.assert_allclose(ours, to_size(given_, size), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    ("of_student", "jit"),
    [((4, 4), False), ((7, 9), True), ((5, 12), False), ((8, 3), True)],
    ids=["graph", "xla", "graph, wider", "xla, narrower"],
)
def test_sizes_that_are_unknown_until_the_model_runs(of_student, jit):
    teacher, student = maps(2, 8, 6, 3), maps(2, *of_student, 2)
    unknown = [tf.TensorSpec((None, None, None, 3), "float64"), tf.TensorSpec((None, None, 6, 2), "float64")]
    if of_student[1] != 6:
        unknown[1] = tf.TensorSpec((None, None, None, 2), "float64")
    run = tf.function(match_maps, input_signature=unknown, jit_compile=jit, autograph=False)
    size = np.minimum((8, 6), of_student)
    for ours, given_ in zip(run(teacher, student), (teacher, student), strict=True):
        np.testing.assert_allclose(ours, to_size(given_, size), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    "loss", ["attention_transfer", "neuron_selectivity", "channel_wise", "mse", "cosine_hidden"]
)
def test_losses_take_maps_of_unknown_size(loss):
    loss, (teacher, student) = kd.losses.get(loss), (maps(3, 6, 6, 4), maps(3, 3, 4, 4)[..., ::-1])
    unknown = tf.TensorSpec((None, None, None, 4), "float64")
    run = tf.function(loss, input_signature=[unknown, unknown], autograph=False)
    np.testing.assert_allclose(run(teacher, student), loss(teacher, student), rtol=1e-5)


def test_volumes_are_pooled():
    teacher, student = maps(2, 4, 6, 9, 3), maps(2, 4, 3, 4, 3)
    pooled, same = match_maps(teacher, student)
    np.testing.assert_allclose(pooled, to_size(teacher, (4, 3, 4)), rtol=1e-6)
    assert same is student


@pytest.mark.parametrize("shape", [(7, 3), (7, 5, 3), (8, 6, 3), (1, 1, 3), (4, 6, 5, 2)])
@pytest.mark.parametrize("size", [1, 2, 4])
def test_pooling_to_cells(shape, size):
    given_ = maps(2, *shape)
    np.testing.assert_allclose(
        pool_to(given_, [size] * (len(shape) - 1)), to_size(given_, [size] * (len(shape) - 1)), rtol=1e-6
    )


def test_sequences_of_two_lengths_are_refused_with_advice():
    poolers = "attention_transfer neuron_selectivity channel_wise mse masked_generation cosine_hidden"
    for loss in poolers.split():
        with pytest.raises(ValueError, match=r"Received: teacher \(2, 7, 3\), .*AveragePooling1D"):
            kd.losses.get(loss)(maps(2, 7, 3), maps(2, 5, 3))
    with pytest.raises(ValueError, match=r"Received: one map \(2, 7, 3\), the next \(2, 5, 3\)"):
        kd.losses.SolutionFlow()((maps(2, 7, 3), maps(2, 5, 3)), (maps(2, 5, 3), maps(2, 5, 3)))


def test_two_ranks_are_refused_with_advice():
    for loss in ("attention_transfer", "factor_transfer", "mae", "hierarchical_context"):
        with pytest.raises(ValueError, match=r"Their ranks differ.*project=keras\.layers\.Reshape"):
            kd.losses.get(loss)(maps(2, 4, 4, 3), maps(2, 16, 3))


def test_a_mask_fits_maps_of_one_size_only():
    mask = np.ones((2, 4, 4), bool)
    loss = kd.losses.AttentionTransfer()
    assert float(loss(maps(2, 4, 4, 3), maps(2, 4, 4, 3), mask=mask)) == 0
    with pytest.raises(ValueError, match=r"the mask \(2, 4, 4\) no longer fits"):
        loss(maps(2, 8, 8, 3), maps(2, 4, 4, 3), mask=mask)


@pytest.mark.parametrize("name", POSITIONWISE.split())
def test_masked_rows_of_a_map_are_as_if_cropped(name):
    loss, (teacher, student) = kd.losses.get(name), (maps(2, 6, 5, 4), maps(2, 6, 5, 4)[..., ::-1])
    mask = np.zeros((2, 6, 5), bool)
    mask[:, :4] = True
    np.testing.assert_allclose(
        loss(teacher, student, mask=mask), loss(teacher[:, :4], student[:, :4]), rtol=1e-5
    )


@pytest.mark.parametrize("loss", [kd.losses.HierarchicalContext(), kd.losses.ClassAttention()])
def test_losses_that_pool_take_no_mask(loss):
    with pytest.raises(ValueError, match="cannot leave out padded positions"):
        loss(maps(2, 8, 8, 3), maps(2, 8, 8, 3), mask=np.ones((2, 8, 8), bool))


def test_gradients_of_pooling_reach_every_position():
    student = tf.constant(maps(2, 7, 5, 3))
    with tf.GradientTape() as tape:
        tape.watch(student)
        _, pooled = match_maps(tf.zeros((2, 3, 4, 3), "float64"), student)
        value = keras.ops.sum(pooled)
    assert (tape.gradient(value, student).numpy() > 0).all()


@pytest.mark.parametrize("sizes", [(3, 4), (7, 2), (2, 5), (4, 4), (1, 1)])
def test_larger_axes_are_pooled_over_windows_that_overlap_where_sizes_do_not_divide(sizes):
    signal = np.random.default_rng(0).normal(size=(2, 7, 5, 3)).astype("float32")
    wanted = signal.astype("float64")
    for axis, size in enumerate(sizes, 1):
        length = wanted.shape[axis]
        windows = [range(i * length // size, -(-(i + 1) * length // size)) for i in range(size)]
        wanted = np.stack([np.take(wanted, list(w), axis).mean(axis) for w in windows], axis)
    np.testing.assert_allclose(pool_larger_axes(tf.constant(signal), sizes), wanted, rtol=1e-5, atol=1e-6)


def test_only_known_and_larger_sizes_are_pooled():
    signal = tf.ones((2, 4, 8, 3))
    assert tuple(pool_larger_axes(signal, (8, 4)).shape) == (2, 4, 4, 3)
    for sizes in [(None, 4), (4, 8), (9, 9), (2,)]:
        assert pool_larger_axes(signal, sizes) is signal
