"""Masks after a step: which weights are kept, in each kernel and over all of them."""

import keras
import numpy as np
import pytest

from keras_kd.compression.kernels import kernels_of
from keras_kd.compression.pruning.masks import (
    check_mask_shapes,
    check_pattern_fits,
    fraction_of_zeros,
    nonzeros,
    select_masks,
)
from keras_kd.compression.pruning.patterns import parse_pattern
from keras_kd.compression.pruning.schedules import ConstantSchedule


@pytest.fixture(scope="module")
def kernels():
    """Two kernels of four weights: 1 to 4 and, smaller, 0.1 to 0.4."""
    layers = [keras.layers.Dense(2, use_bias=False, name=name) for name in ("large", "small")]
    keras.Sequential([keras.Input((2,)), *layers])
    model = keras.Sequential([keras.Input((2,)), *layers])
    value = np.array([[1.0, -2.0], [-3.0, 4.0]])
    model.set_weights([value, value / 10])
    return kernels_of(model)


def select(kernels, pattern="unstructured", fraction=0.5, scope="layer", finals=(None, None), masks=None):
    masks = [np.ones((2, 2), bool)] * 2 if masks is None else masks
    pairs = list(zip(kernels, finals, strict=True))
    schedule = ConstantSchedule(final=fraction)
    return [mask.tolist() for mask in select_masks(pairs, masks, parse_pattern(pattern), schedule, scope, 1)]


LARGEST_TWO, LARGEST = [[False, False], [True, True]], [[False, False], [False, True]]


def test_scope_layer_prunes_each_kernel_alike_and_scope_global_the_small_one(kernels):
    assert select(kernels) == [LARGEST_TWO, LARGEST_TWO]
    assert select(kernels, scope="global") == [[[True, True], [True, True]], [[False, False], [False, False]]]


def test_a_kernel_may_have_a_sparsity_of_its_own(kernels):
    assert select(kernels, finals=(0.75, None)) == [LARGEST, LARGEST_TWO]


def test_what_is_pruned_already_goes_first(kernels):
    first = np.array([[True, True], [True, False]])  # the largest weight is pruned
    [found, _] = select(kernels, fraction=0.25, masks=[first, np.ones((2, 2), bool)])
    assert found == first.tolist()


def test_patterns_prune_along_the_inputs_and_in_blocks(kernels):
    assert select(kernels, "1:2", None) == [LARGEST_TWO, LARGEST_TWO]
    assert select(kernels, "2x1", 0.5)[0] == [[False, True], [False, True]]


def test_fraction_of_zeros_is_of_all_masks_together():
    masks = [np.array([True, False]), np.array([[True] * 3, [False] * 3])]
    assert fraction_of_zeros(masks) == 0.5


def test_nonzeros_are_masks_of_the_weights_as_they_are(kernels):
    assert all(mask.all() for mask in nonzeros([(kernel, None) for kernel in kernels]))
    kernels[1].variable.assign([[0.0, -0.0], [1.0, 0.0]])
    assert nonzeros([(kernels[1], None)])[0].tolist() == [[False, False], [True, False]]


def test_a_pattern_that_divides_no_kernel_is_refused_with_the_layers_to_skip(kernels):
    pairs = [(kernel, None) for kernel in kernels]
    check_pattern_fits(pairs, parse_pattern("2x2"))
    with pytest.raises(
        ValueError, match=r"'large/kernel' \(2, 2\): its 2 inputs .*skip=\['large', 'small'\]"
    ):
        check_pattern_fits(pairs, parse_pattern("2:4"))


def test_masks_of_other_shapes_are_refused(kernels):
    pairs = [(kernel, None) for kernel in kernels]
    check_mask_shapes(pairs, [np.ones((2, 2), bool)] * 2)
    for masks in ([np.ones((2, 2), bool)], [np.ones((2, 2), bool), np.ones((4, 1), bool)]):
        with pytest.raises(ValueError, match="masks of the checkpoint belong to other weights"):
            check_mask_shapes(pairs, masks)
