"""AttentionMaps: scores, queries and keys, masks, causal attention."""

import numpy as np
import pytest
from hypothesis import given

import keras_kd as kd
from tests.losses.batches import common, seeds, value, vectors
from tests.losses.gradients import value_and_gradients
from tests.oracles.tokens import divergence, scores


@common
@given(seeds)
def test_attention_maps_are_symmetric_and_follow_the_order_of_heads(seed):
    teacher, student = vectors(seed, (3, 4, 5, 5), (3, 4, 5, 5))
    loss = kd.losses.AttentionMaps()
    plain = value(loss, teacher, student)
    assert value(loss, student, teacher) == pytest.approx(plain, rel=1e-6)
    assert value(loss, teacher[:, ::-1], student[:, ::-1]) == pytest.approx(plain, rel=1e-6)


@common
@given(seeds)
def test_attention_survives_a_rotation_of_queries_and_keys(seed):
    query, key, other_query, other_key, turn = vectors(seed, *[(3, 5, 2, 4)] * 4, (4, 4))
    turn, _ = np.linalg.qr(turn)
    for distance in ("mse", "kl"):
        loss = kd.losses.AttentionMaps(distance)
        plain = value(loss, (query, key), (other_query, other_key))
        turned = (other_query @ turn, other_key @ turn)
        assert value(loss, (query, key), turned) == pytest.approx(plain, rel=1e-4)


@pytest.mark.parametrize("distance", ["mse", "kl"])
def test_a_mask_leaves_out_queries_and_keys_of_scores(distance):
    teacher, student = vectors(0, (3, 2, 5, 5), (3, 2, 5, 5))
    mask = np.arange(5) < np.full((3, 1), 3)
    pairs = (mask[:, :, None] & mask[:, None, :])[:, None]
    noise = 1e3 * vectors(1, (3, 2, 5, 5))[0]
    spoiled = [np.where(pairs, x, noise * sign) for x, sign in ((teacher, 1), (student, -1))]
    loss = kd.losses.AttentionMaps(distance)
    expected = value(loss, teacher[:, :, :3, :3], student[:, :, :3, :3])
    assert value(loss, *spoiled, mask=mask) == pytest.approx(expected, rel=1e-5)
    _, (gradient,) = value_and_gradients(loss, *spoiled, mask=mask)
    assert (gradient[~np.broadcast_to(pairs, gradient.shape)] == 0).all()


def test_marks_of_unseen_keys_count_as_zero():
    teacher, student = vectors(0, (3, 2, 5, 5), (3, 2, 5, 5))
    unseen = np.triu(np.ones((5, 5), bool), 1)
    loss = kd.losses.AttentionMaps()
    expected = value(loss, np.where(unseen, 0, teacher), np.where(unseen, 0, student))
    marked = [np.where(unseen, mark, x) for mark, x in ((-1e9, teacher), (-1e4, student))]
    assert value(loss, *marked) == pytest.approx(expected, rel=1e-6)
    _, (gradient,) = value_and_gradients(loss, *marked)
    assert (gradient[..., unseen] == 0).all()


def test_the_divergence_of_causal_attention_is_finite():
    teacher, student = vectors(0, (3, 2, 5, 5), (3, 2, 5, 5))
    unseen = np.triu(np.ones((5, 5), bool), 1)
    marked = [np.where(unseen, -1e9, x) for x in (teacher, student)]
    loss = kd.losses.AttentionMaps("kl")
    rows = [divergence(*(x[..., i : i + 1, : i + 1] for x in (teacher, student))) for i in range(5)]
    assert value(loss, *marked) == pytest.approx(np.mean(rows), rel=1e-5)
    assert np.isfinite(value_and_gradients(loss, *marked)[1][0]).all()


def test_queries_and_keys_of_two_lengths():
    """Cross-attention: three queries, five keys, and no mask that could fit both."""
    teacher, student = (tuple(vectors(seed, (4, 3, 2, 6), (4, 5, 2, 6))) for seed in (0, 1))
    loss = kd.losses.AttentionMaps()
    assert value(loss, teacher, student) == pytest.approx(
        ((scores(teacher) - scores(student)) ** 2).mean(), rel=1e-5
    )
    with pytest.raises(ValueError, match="one entry per token"):
        loss(teacher, student, mask=np.ones((4, 3), bool))


@pytest.mark.parametrize(
    ("teacher", "student", "message"),
    [
        ([(4, 2, 5, 5)], [(4, 3, 5, 5)], "head with head.*SelfAttentionRelations"),
        ([(4, 5, 2, 8)] * 2, [(4, 5, 4, 4)] * 2, "head with head"),
        ([(4, 2, 5, 5)], [(4, 2, 6, 6)], "same shape"),
        ([(4, 5, 8)] * 2, [(4, 5, 8)] * 2, "AttentionMaps reads scores"),
        ([(4, 5, 2, 8)] * 3, [(4, 5, 2, 8)] * 3, "AttentionMaps reads scores"),
        ([(4, 5, 2, 8), (4, 5, 2, 4)], [(4, 5, 2, 8)] * 2, "AttentionMaps reads scores"),
    ],
)
def test_attention_maps_that_do_not_meet(teacher, student, message):
    teacher, student = (tuple(np.ones(shape) for shape in side) for side in (teacher, student))
    if len(teacher) == 1:
        teacher, student = teacher[0], student[0]
    with pytest.raises(ValueError, match=message):
        kd.losses.AttentionMaps()(teacher, student)


def test_attention_distance_must_be_known():
    with pytest.raises(ValueError, match="`distance` must be 'mse' or 'kl'"):
        kd.losses.AttentionMaps("mae")
