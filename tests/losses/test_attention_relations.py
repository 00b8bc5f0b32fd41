"""SelfAttentionRelations: the formula of the paper, relation heads, and what it refuses."""

import numpy as np
import pytest
from hypothesis import given

import keras_kd as kd
from tests.losses.batches import common, seeds, value, vectors
from tests.oracles.row import log_softmax, softmax


@common
@given(seeds)
def test_relations_survive_a_rotation_inside_each_head(seed):
    signal, *turns = vectors(seed, (3, 5, 8), (4, 4), (4, 4))
    turns = [np.linalg.qr(turn)[0] for turn in turns]
    turned = np.concatenate([signal[..., :4] @ turns[0], signal[..., 4:] @ turns[1]], -1)
    loss = kd.losses.SelfAttentionRelations(heads=2)
    assert value(loss, (signal,), (turned,)) == pytest.approx(0, abs=1e-5)


def test_relations_add_up_over_queries_keys_and_values():
    teacher, student = vectors(0, *[(3, 5, 8)] * 3), vectors(1, *[(3, 5, 4)] * 3)
    loss = kd.losses.SelfAttentionRelations(heads=2)
    single = sum(value(loss, t, s) for t, s in zip(teacher, student, strict=True))
    assert value(loss, tuple(teacher), tuple(student)) == pytest.approx(single, rel=1e-6)


def test_relations_are_those_of_the_paper():
    """Token by token and head by head, as the paper sums them."""
    teacher, student = vectors(0, (2, 4, 2, 6), (2, 4, 3, 2))
    total = 0.0
    for b in range(2):
        for head in range(2):
            t = teacher.reshape(2, 4, 12)[b, :, 6 * head : 6 * head + 6]
            s = student.reshape(2, 4, 6)[b, :, 3 * head : 3 * head + 3]
            for i in range(4):
                p, log_p = softmax(t @ t[i] / 6**0.5), log_softmax(t @ t[i] / 6**0.5)
                total += (p * (log_p - log_softmax(s @ s[i] / 3**0.5))).sum() / (2 * 4 * 2)
    assert value(kd.losses.SelfAttentionRelations(), teacher, student) == pytest.approx(total, rel=1e-5)


@pytest.mark.parametrize(
    ("heads", "teacher", "student", "message"),
    [
        (None, [(4, 5, 8)], [(4, 5, 8)], "the teacher's signal has no heads"),
        (3, [(4, 5, 8)], [(4, 5, 9)], "8 is not divisible by 3"),
        (None, [(4, 5, 4, 2)], [(4, 5, 6)], "6 is not divisible by 4"),
        (2, [(4, 5, 8)] * 2, [(4, 5, 8)], "as many signals of the student"),
        (2, [(4, 8)], [(4, 8)], "as many signals of the student"),
        (2, [(4, 5, 8)], [(4, 6, 8)], "same shape"),
    ],
)
def test_relations_that_do_not_meet(heads, teacher, student, message):
    teacher, student = (tuple(np.ones(shape) for shape in side) for side in (teacher, student))
    with pytest.raises(ValueError, match=message):
        kd.losses.SelfAttentionRelations(heads)(teacher, student)


@pytest.mark.parametrize("heads", [0, -1, 2.0, "2"])
def test_heads_must_be_an_integer(heads):
    with pytest.raises(ValueError, match="`heads` must be an integer"):
        kd.losses.SelfAttentionRelations(heads)
