"""ClassAttention: class maps with and without a kernel."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import keras_kd as kd
from tests.losses.batches import common, maps, seeds, value


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
    with pytest.raises(ValueError, match=r"from the student: \(2, 4, 4, 6\), \(7, 6\). Tap them as student="):
        loss((first, maps(1, 6, 7)), (first, maps(1, 7, 6)))
    with pytest.raises(ValueError, match="same shape"):
        loss((first, maps(1, 6, 7)), (first, maps(1, 6, 8)))
    with pytest.raises(ValueError, match="`size` must be an integer"):
        kd.losses.ClassAttention(0)
