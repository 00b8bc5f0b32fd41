"""Patterns that tfmot's pruning can make in a kernel, and those that it cannot."""

import numpy as np
import pytest
import tf_keras

import keras_kd as kd
from keras_kd.tfmot.prunable_kernels import check_pattern, find_misfit
from tests.tfmot.students import assert_refused, refused, sequential, student, with_layer

L = tf_keras.layers


def test_groups_leave_kernels_with_few_inputs_as_they_are():
    layers = [L.Input((6, 6, 1)), L.Conv2D(4, 3, name="one"), L.Conv2D(3, 3, name="four")]
    model = kd.tfmot.prune_low_magnitude(tf_keras.Sequential(layers), sparsity_m_by_n=(2, 4))
    for layer in model.layers:
        layer.pruning_step.assign(1)
        layer.pruning_obj.conditional_mask_update()
        layer.pruning_obj.weight_mask_op()
    kernels = [w for w in kd.tfmot.strip_pruning(model).get_weights() if w.ndim == 4]
    assert [np.mean(kernel == 0) for kernel in kernels] == [0, 0.5]


PATTERNS = {
    **{
        f"{groups!r} weights": ({"sparsity_m_by_n": groups}, "0 < m < n.*Received")
        for groups in [(5, 4), (4, 4), (0, 4), (2,), "2:4", (2.0, 4)]
    },
    **{
        f"blocks of {block!r}": ({"block_size": block}, "`block_size` must be a height and a width")
        for block in [(0, 1), (1, -4), 4, (1, 2, 3)]
    },
    "blocks and groups": ({"sparsity_m_by_n": (2, 4), "block_size": (1, 4)}, "either in blocks or m by n"),
    "an unknown pooling": ({"block_pooling_type": "avg"}, "Did you mean 'AVG'"),
}


REFUSED = {
    "blocks of a convolution": (
        lambda: kd.tfmot.prune_low_magnitude(convolutional(), block_size=(1, 2)),
        ValueError,
        r"'conv' \(blocks need matrices, and it has \(3, 3, 1, 4\)\).*layers=\['flat', 'head'\]",
    ),
    "blocks of which tfmot drops an axis": (
        # `hidden` has a kernel (6, 8), `narrow` (8, 2), `head` (2, 3).
        lambda: kd.tfmot.prune_low_magnitude(
            with_layer(L.Dense(2, name="narrow"), units=8), block_size=(2, 2)
        ),
        ValueError,
        r"take 2 of these layers: 'narrow' \(it needs two blocks.* \(8, 2\)\), 'head' .*layers=\['hidden'\]",
    ),
    "groups that do not divide the inputs": (
        lambda: kd.tfmot.prune_low_magnitude(student(), sparsity_m_by_n=(2, 5)),
        ValueError,
        r"'hidden' \(its 6 inputs are not a multiple of 5\), 'head' .* of 5\)\. No other layer is left",
    ),
    "groups in a kernel of three axes": (
        lambda: kd.tfmot.prune_low_magnitude(
            sequential(L.Input((8, 4)), L.Conv1D(4, 3, name="conv"), L.Dense(3, name="head")),
            sparsity_m_by_n=(2, 4),
        ),
        ValueError,
        r"'conv' \(m by n needs kernels of 2 or 4 axes.* \(3, 4, 4\)\).*layers=\['head'\]",
    ),
}


def convolutional():
    return sequential(
        L.Input((8, 8, 1)), L.Conv2D(4, 3, name="conv"), L.Flatten(name="flat"), L.Dense(3, name="head")
    )


@pytest.mark.parametrize(("make", "error", "message"), refused(REFUSED))
def test_kernels_that_a_pattern_does_not_fit_are_refused(make, error, message):
    assert_refused(make, error, message)


@pytest.mark.parametrize("what", PATTERNS)
def test_patterns_that_fit_no_kernel_are_refused(what):
    options, message = PATTERNS[what]
    with pytest.raises(ValueError, match=message):
        check_pattern(
            **{"block_size": (1, 1), "block_pooling_type": "AVG", "sparsity_m_by_n": None, **options}
        )
    with pytest.raises(ValueError, match=message):
        kd.tfmot.prune_low_magnitude(student(), **options)


def test_what_fits_has_no_misfit_and_the_layer_stays_as_it_is():
    layer = student().get_layer("hidden")  # of a kernel (6, 8)
    assert find_misfit(layer, (1, 1), None) is None
    assert find_misfit(layer, (2, 4), None) is None
    assert find_misfit(layer, (1, 1), (1, 3)) is None
    assert find_misfit(layer, (6, 1), None) == "it needs two blocks in height and in width, and it has (6, 8)"
    assert not hasattr(layer, "get_prunable_weights")
