"""Means, masks, norms and checks of shapes that all losses share."""

import keras
import numpy as np
import pytest

import keras_kd as kd
from keras_kd.losses.samples import (
    cosine_similarities,
    count_per_sample,
    fits,
    flatten,
    flatten_positions,
    keep,
    l2_normalize,
    mean_per_sample,
    require_positions,
    require_same_shape,
    spread_over_batch,
    sum_per_sample,
    weigh,
)
from tests.losses.batches import vectors
from tests.losses.gradients import compiled, value_and_gradients


def test_a_zero_vector_has_no_gradient():
    """A division by a length of almost 0 would give the layers before it one of 1e12."""
    teacher, student = vectors(0, (5, 6), (5, 6))
    student[0] = 0
    for loss in (
        kd.losses.ContrastiveRepresentation(),
        kd.losses.ProbabilisticTransfer(),
        kd.losses.CorrelationCongruence(),
        kd.losses.CosineHidden(),
    ):
        _, (gradient,) = value_and_gradients(loss, teacher, student)
        assert (gradient[0] == 0).all()
        assert np.abs(gradient).max() < 100


VALUES = np.arange(24.0).reshape(2, 3, 4)
MASK = np.array([[True, True, False], [False, False, False]])


def test_means_and_sums_per_sample():
    np.testing.assert_allclose(mean_per_sample(VALUES), VALUES.mean((1, 2)))
    np.testing.assert_allclose(sum_per_sample(VALUES), VALUES.sum((1, 2)))
    for reduce in (mean_per_sample, sum_per_sample):
        np.testing.assert_allclose(reduce(np.arange(3.0)), [0, 1, 2])


def test_masked_means_and_sums_leave_out_positions():
    np.testing.assert_allclose(mean_per_sample(VALUES, MASK), [VALUES[0, :2].mean(), 0])
    np.testing.assert_allclose(sum_per_sample(VALUES, MASK), [VALUES[0, :2].sum(), 0])
    np.testing.assert_allclose(count_per_sample(MASK, "float32"), [2, 1])


WEIGHTS = np.array([[1.0, 0.5, 0.0], [0.0, 0.0, 3.0]])


def test_weights_scale_the_values_of_their_position():
    weighted = VALUES * WEIGHTS[..., None]
    np.testing.assert_allclose(mean_per_sample(VALUES, None, WEIGHTS), weighted.mean((1, 2)))
    np.testing.assert_allclose(sum_per_sample(VALUES, None, WEIGHTS), weighted.sum((1, 2)))
    np.testing.assert_allclose(mean_per_sample(VALUES, MASK, WEIGHTS), [weighted[0, :2].mean(), 0])
    assert weigh(VALUES, None) is VALUES


def test_a_value_that_weighs_nothing_may_be_infinite():
    values = np.where(WEIGHTS[..., None] == 0, np.inf, VALUES)
    np.testing.assert_allclose(
        sum_per_sample(values, None, WEIGHTS), (VALUES * WEIGHTS[..., None]).sum((1, 2))
    )


@pytest.mark.parametrize("sizes", [((8, 6), (4, 3)), ((8, 6), (2, 6)), ((4, 4, 4), (2, 2, 1))])
def test_weights_of_a_larger_map_count_for_the_pixels_that_a_value_covers(sizes):
    larger, smaller = sizes
    random = np.random.default_rng(0)
    values, weights = random.normal(size=(2, *smaller)), random.uniform(size=(2, *larger))
    repeated = values
    for axis, (many, few) in enumerate(zip(larger, smaller, strict=True), 1):
        repeated = repeated.repeat(many // few, axis)
    expected = (repeated * weights).reshape(2, -1).mean(1)
    np.testing.assert_allclose(mean_per_sample(values, None, weights), expected, rtol=1e-6)


@pytest.mark.parametrize("known", [(None, None), (8, 6)])
def test_weights_of_a_larger_map_of_unknown_size(known):
    random = np.random.default_rng(0)
    values, weights = random.normal(size=(2, 4, 3, 5)), random.uniform(size=(2, 8, 6))
    specs = [
        keras.KerasTensor((None, None, None, 5), "float64"),
        keras.KerasTensor((None, *known), "float64"),
    ]
    run = compiled(lambda v, w: mean_per_sample(v, None, w), specs, False)
    np.testing.assert_allclose(run(values, weights), mean_per_sample(values, None, weights), rtol=1e-6)


@pytest.mark.parametrize(
    ("weights", "values"),
    [
        ((2, 3), (2, 4)),
        ((2, 3), (2,)),
        ((2, 3, 4), (2, 3)),
        ((2, 2, 2), (2, 4, 4, 3)),
        ((2, 8, 2), (2, 4, 4)),
    ],
)
def test_weights_of_other_positions_are_refused(weights, values):
    with pytest.raises(ValueError, match="They need one weight for each of its tokens or pixels"):
        weigh(np.ones(values), np.ones(weights))


def test_keep_puts_something_else_where_the_mask_is_false():
    np.testing.assert_allclose(keep(VALUES, MASK, instead=-1.0), np.where(MASK[..., None], VALUES, -1))
    assert keep(VALUES, None) is VALUES


@pytest.mark.parametrize(
    ("mask", "values", "expected"),
    [
        ((2, 3), (2, 3, 4), True),
        ((None, 3), (2, None), True),
        ((2, 4), (2, 3, 4), False),
        ((2, 3, 4), (2, 3), False),
        ((2,), (2, 3), False),
    ],
)
def test_a_mask_fits_the_first_axes(mask, values, expected):
    assert fits(keras.KerasTensor(mask), keras.KerasTensor(values)) == expected


def test_a_mask_of_other_positions_is_refused():
    with pytest.raises(ValueError, match=r"mask has the shape \(2, 5\) and does not fit the positions"):
        require_positions(np.ones((2, 5)), VALUES)


def test_unknown_axes_may_agree_and_known_ones_must():
    loss = kd.losses.LogitsMSE()
    require_same_shape(loss, keras.KerasTensor((None, None, 3)), keras.KerasTensor((4, 5, 3)))
    for shape in ((4, 5, 2), (4, 3), (4, 5, 3, 1)):
        with pytest.raises(ValueError, match=r"'logits_mse' needs .* of the same shape"):
            require_same_shape(loss, keras.KerasTensor((4, 5, 3)), keras.KerasTensor(shape))


def test_a_value_of_the_batch_is_spread_over_samples_that_are_not_all_padding():
    np.testing.assert_allclose(spread_over_batch(2.0, VALUES, None), [2, 2])
    np.testing.assert_allclose(spread_over_batch(2.0, VALUES, MASK), [2, 0])


def test_normalized_vectors_have_length_1_and_zeros_stay():
    rows = np.array([[3.0, 4.0], [0.0, 0.0]])
    np.testing.assert_allclose(l2_normalize(rows), [[0.6, 0.8], [0.0, 0.0]])
    np.testing.assert_allclose(l2_normalize(rows, axis=0), [[1.0, 1.0], [0.0, 0.0]])


def test_positions_become_one_axis():
    maps = np.random.default_rng(0).normal(size=(2, 3, 4, 5))
    np.testing.assert_array_equal(flatten_positions(maps), maps.reshape(2, 12, 5))
    assert flatten_positions(keras.KerasTensor((None, None, 4, 5))).shape == (None, None, 5)
    tokens = maps[:, :, 0]
    assert flatten_positions(tokens) is tokens


def test_cosines_between_samples_of_any_rank():
    features = np.random.default_rng(0).normal(size=(3, 2, 4))
    assert flatten(features).shape == (3, 8)
    flat = features.reshape(3, 8)
    lengths = np.linalg.norm(flat, axis=-1)
    np.testing.assert_allclose(
        cosine_similarities(features), flat @ flat.T / np.outer(lengths, lengths), rtol=1e-9
    )
