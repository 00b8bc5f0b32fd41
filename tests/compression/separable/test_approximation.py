"""The closest separable kernel: exact where it can be, and better than any other."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_kd.compression.separable.approximation import separated


def composed(found, groups=1):
    """The kernel that a depthwise and a pointwise convolution compute together."""
    inputs, multiplier = found.depthwise.shape[-2:]
    outputs = found.pointwise.shape[1]
    full = np.zeros((inputs, multiplier, outputs))
    for g in range(groups):
        rows, columns = (slice(g * size // groups, (g + 1) * size // groups) for size in (inputs, outputs))
        full[rows, :, columns] = found.pointwise[:, columns].reshape(-1, multiplier, outputs // groups)
    return np.einsum("...im,imo->...io", found.depthwise, full)


def distance(found, kernel, groups=1):
    return np.linalg.norm(composed(found, groups) - kernel) / np.linalg.norm(kernel)


shapes = st.tuples(*(st.integers(1, 4) for _ in range(4)))


@settings(max_examples=30, deadline=None)
@given(shapes, st.integers(0, 99))
def test_the_error_is_told_and_falls_with_the_multiplier_to_nothing(shape, seed):
    kernel = np.random.default_rng(seed).normal(size=shape)
    full = min(shape[0] * shape[1], shape[3])
    errors = [separated(kernel, m).error for m in range(1, full + 2)]
    for m, error in enumerate(errors, start=1):
        assert error == pytest.approx(distance(separated(kernel, m), kernel), abs=1e-9)
    assert all(later <= earlier for earlier, later in itertools.pairwise(errors))
    assert errors[full - 1] < 1e-12


@pytest.mark.parametrize("multiplier", [1, 2, 3])
def test_a_separable_kernel_is_found_again(multiplier):
    random = np.random.default_rng(0)
    kernel = np.einsum(
        "hwim,imo->hwio", random.normal(size=(3, 3, 4, multiplier)), random.normal(size=(4, multiplier, 8))
    )
    assert distance(separated(kernel, multiplier), kernel) < 1e-12
    assert separated(kernel, multiplier).error < 1e-12


@pytest.mark.parametrize("groups", [1, 2])
def test_no_other_separable_kernel_is_closer(groups):
    """Alternating least squares, from many starts, which ends at the optimum or above."""
    random = np.random.default_rng(1)
    kernel = random.normal(size=(3, 3, 4, 6))
    best = distance(separated(kernel, 1, groups), kernel, groups)
    assert best == pytest.approx(separated(kernel, 1, groups).error)
    mask = np.kron(np.eye(groups), np.ones((4 // groups, 6 // groups)))
    for _ in range(5):
        depthwise = random.normal(size=(3, 3, 4))
        for _ in range(200):
            pointwise = np.einsum("hwi,hwio->io", depthwise, kernel) * mask
            pointwise /= (depthwise**2).sum((0, 1))[:, None]
            depthwise = np.einsum("hwio,io->hwi", kernel, pointwise) / (pointwise**2).sum(1)
        other = np.linalg.norm(depthwise[..., None] * pointwise - kernel) / np.linalg.norm(kernel)
        assert other == pytest.approx(best, abs=1e-6)


def test_a_kernel_of_zeros_has_no_error():
    assert separated(np.zeros((3, 3, 2, 4))).error == 0.0
