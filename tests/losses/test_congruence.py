"""CorrelationCongruence: its two kernels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import keras_kd as kd
from tests.losses.batches import common, rows, seeds, value, vectors
from tests.oracles.relations import correlation


@common
@given(seeds, st.floats(0.1, 2))
def test_many_terms_are_the_gaussian(seed, gamma):
    teacher, student = vectors(seed, (5, 8), (5, 6))

    def gaussian(x):
        x = x / np.linalg.norm(x, axis=-1, keepdims=True)
        return np.exp(-gamma * ((x[:, None] - x) ** 2).sum(-1))

    expected = ((gaussian(teacher) - gaussian(student)) ** 2).mean(-1)
    loss = kd.losses.CorrelationCongruence(gamma=gamma, order=20)
    np.testing.assert_allclose(rows(loss, teacher, student), expected, rtol=1e-3, atol=1e-7)
    np.testing.assert_allclose(correlation(gamma, 20)(teacher, student), expected, rtol=1e-6)


def test_only_the_published_neighbours_read_the_order():
    teacher, student = vectors(0, (5, 6), (5, 6))
    order = [2, 0, 4, 1, 3]
    for kernel, changes in (("rbf", False), ("neighbours", True)):
        loss = kd.losses.CorrelationCongruence(kernel)
        found = value(loss, teacher[order], student[order]), value(loss, teacher, student)
        assert (found[0] != pytest.approx(found[1], rel=1e-4)) == changes


@pytest.mark.parametrize("arguments", [{"kernel": "linear"}, {"gamma": 0}, {"order": 0}, {"order": 1.5}])
def test_correlation_congruence_refuses(arguments):
    with pytest.raises(ValueError, match=f"`{next(iter(arguments))}` must be"):
        kd.losses.CorrelationCongruence(**arguments)


def test_neighbours_need_one_width():
    with pytest.raises(ValueError, match="same shape"):
        kd.losses.CorrelationCongruence("neighbours")(np.ones((4, 3)), np.ones((4, 2)))
