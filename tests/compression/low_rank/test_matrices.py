"""Products of low rank are the best there are, for a matrix and for outputs."""

import functools

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from keras_kd.compression.low_rank.matrices import Spectrum, approximate, metric_of
from keras_kd.compression.low_rank.ranks import Amount

SHAPES = st.tuples(st.integers(1, 7), st.integers(1, 7), st.integers(0, 2**32 - 1))


def draw(rows, columns, seed):
    random = np.random.default_rng(seed)
    return random.normal(size=(rows, columns)) * random.uniform(0.01, 10, columns)


def error_of(matrix, product):
    return np.linalg.norm(matrix - product.left @ product.right) / np.linalg.norm(matrix)


@settings(deadline=None, max_examples=50)
@given(SHAPES)
def test_no_product_of_a_rank_is_nearer_and_the_error_falls_with_the_rank(shape):
    matrix = draw(*shape)
    values = np.linalg.svd(matrix, compute_uv=False)  # by which Eckart and Young tell the least error
    errors = []
    for rank in range(1, min(matrix.shape) + 1):
        product = approximate(matrix, Amount(rank))
        least = np.sqrt((values[rank:] ** 2).sum() / (values**2).sum())
        assert product.rank == rank
        assert error_of(matrix, product) == pytest.approx(least, abs=1e-7)
        assert product.error == pytest.approx(least, abs=1e-5)
        errors.append(product.error)
    assert errors == sorted(errors, reverse=True)
    np.testing.assert_allclose(product.left @ product.right, matrix, atol=1e-10 * np.abs(matrix).max())


@settings(deadline=None, max_examples=50)
@given(SHAPES, st.floats(0.05, 1.0))
def test_an_energy_takes_the_least_rank_that_keeps_it(shape, energy):
    matrix = draw(*shape)
    squares = np.linalg.svd(matrix, compute_uv=False) ** 2
    rank = approximate(matrix, Amount(energy=energy)).rank
    kept = squares.cumsum() / squares.sum()
    assert kept[rank - 1] >= energy - 1e-9
    assert rank == 1 or kept[rank - 2] < energy + 1e-9


@functools.cache
def falling(shape, decay):
    """A matrix whose singular values fall off, and their squares in float64."""
    left, values, right = np.linalg.svd(np.random.default_rng(0).normal(size=shape), full_matrices=False)
    values = values * decay ** np.arange(values.shape[-1])
    matrix = ((left * values[..., None, :]) @ right).astype("float32").astype("float64")
    return matrix, np.linalg.svd(matrix, compute_uv=False).reshape(-1, 200) ** 2


@pytest.mark.parametrize("shape", [(300, 200), (200, 500), (2, 200, 250)])
@pytest.mark.parametrize("decay", [1.0, 0.9])
@pytest.mark.parametrize("rank", [1, 20, 60, 200])
def test_a_part_of_the_singular_values_is_as_good_as_all_of_them(shape, decay, rank):
    """A trained kernel's fall off, a random one's do not."""
    matrix, squares = falling(shape, decay)
    least = np.sqrt(squares[:, rank:].sum() / squares.sum())
    product = approximate(matrix, Amount(rank))
    assert product.rank == rank
    assert product.error == pytest.approx(least, rel=1e-9, abs=1e-7)
    assert error_of(matrix, product) == pytest.approx(least, rel=1e-9, abs=1e-7)


def test_what_no_rank_of_interest_keeps_has_no_rank():
    matrix = np.random.default_rng(0).normal(size=(100, 100))
    all_of_it, a_part = Spectrum(matrix), Spectrum(matrix, most=10)
    np.testing.assert_allclose(a_part.kept, all_of_it.kept[:10])
    assert a_part.rank_keeping(all_of_it.kept[4]) == 5
    assert a_part.rank_keeping(all_of_it.kept[10]) is None


def test_a_kernel_of_low_rank_in_float32_loses_nothing_at_an_energy_of_one():
    random = np.random.default_rng(0)
    matrix = (random.normal(size=(40, 3)) @ random.normal(size=(3, 30))).astype("float32").astype("float64")
    product = approximate(matrix, Amount(energy=1.0))
    assert (product.rank, product.error) == (3, 0.0)
    assert error_of(matrix, product) < 1e-6


@pytest.mark.parametrize("shape", [(9, 4), (4, 9)])
def test_a_metric_makes_the_error_of_outputs_least(shape):
    random = np.random.default_rng(0)
    inputs = random.normal(size=(500, shape[0])) @ random.normal(size=(shape[0], shape[0])) + 1
    matrix = random.normal(size=shape)
    outputs = inputs @ matrix
    product = approximate(matrix, Amount(2), metric_of(inputs.T @ inputs / len(inputs)))
    found = np.linalg.norm(inputs @ product.left @ product.right - outputs) / np.linalg.norm(outputs)
    values = np.linalg.svd(outputs, compute_uv=False)  # no matrix of rank 2 is nearer to the outputs
    least = np.sqrt((values[2:] ** 2).sum() / (values**2).sum())
    plain = approximate(matrix, Amount(2))
    worse = np.linalg.norm(inputs @ plain.left @ plain.right - outputs) / np.linalg.norm(outputs)
    assert found == pytest.approx(least, rel=1e-2)
    assert product.error == pytest.approx(found, rel=1e-2)
    assert worse > 1.05 * found


def test_inputs_that_the_data_lacks_still_count_a_little():
    moment = np.diag([1.0, 1.0, 0.0])
    metric = metric_of(moment)
    np.testing.assert_allclose(metric.root @ metric.inverse, np.eye(3), atol=1e-9)
    product = approximate(np.eye(3), Amount(1.0), metric)
    np.testing.assert_allclose(product.left @ product.right, np.eye(3), atol=1e-9)


@pytest.mark.parametrize("size", [0.0, 1e-60, 1.0, 1e60])
def test_factors_are_as_large_for_inputs_of_any_size(size):
    """In float32 there is no place for what undoes a tiny input."""
    metric = metric_of(size * np.stack([np.eye(2), np.zeros((2, 2))]))
    np.testing.assert_allclose(metric.root[1], np.eye(2))
    np.testing.assert_allclose(metric.root @ metric.inverse, [np.eye(2)] * 2, atol=1e-9)
    assert np.abs([metric.root, metric.inverse]).max() < 2


def test_both_factors_have_the_same_scale():
    product = approximate(np.diag([100.0, 1.0, 0.0]), Amount(1.0))
    np.testing.assert_allclose(np.linalg.norm(product.left, axis=0)[:2], [10, 1])
    np.testing.assert_allclose(np.linalg.norm(product.right, axis=1)[:2], [10, 1])
    nothing = approximate(np.zeros((3, 2)), Amount(1))
    assert nothing.error == 0
    assert np.isfinite([*nothing.left.flat, *nothing.right.flat]).all()


def test_a_stack_of_matrices_is_cut_at_one_rank():
    stack = np.stack([np.diag([3.0, 0, 0]), np.diag([0, 2.0, 1.0])])
    spectrum = Spectrum(stack)
    np.testing.assert_allclose(spectrum.kept, [13, 14, 14])
    product = spectrum.product(1)
    assert product.left.shape == (2, 3, 1)
    np.testing.assert_allclose(product.left @ product.right, [stack[0], np.diag([0, 2.0, 0])], atol=1e-12)
    assert product.error == pytest.approx(np.sqrt(1 / 14))
