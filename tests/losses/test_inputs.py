"""Signals, masks and sample weights as a loss is called with them."""

import keras
import numpy as np
import pytest

from keras_kd.keras_internals import attach_mask, mask_of
from keras_kd.losses.inputs import (
    convert,
    describe,
    has_parts,
    join_masks,
    masks_of,
    parts_of,
    split_sample_weight,
)

ONE, TWO = np.zeros((4, 3)), (np.zeros((4, 3)), np.zeros((4, 5)))


def test_parts_of_a_tensor_or_of_several():
    assert parts_of(ONE) == (ONE,)
    assert parts_of(list(TWO)) == TWO


@pytest.mark.parametrize(
    ("signal", "least", "most", "fits"),
    [
        (ONE, 1, 1, True),
        (ONE, 2, 2, False),
        ((ONE,), 1, 1, False),  # a tuple of one is a slip
        ((ONE,), 1, float("inf"), True),  # unless the loss has no limit
        (TWO, 1, 2, True),
        (TWO, 3, float("inf"), False),
        ((), 1, float("inf"), False),
    ],
)
def test_numbers_of_tensors_that_a_loss_reads(signal, least, most, fits):
    assert has_parts(signal, least, most) == fits


def test_a_signal_is_described_by_its_shapes():
    assert describe(ONE) == "(4, 3)"
    assert describe(TWO) == "a tuple of 2: (4, 3), (4, 5)"
    assert describe([ONE, 1.0]) == "a list of 2: (4, 3), float"


def test_conversion_keeps_labels_and_drops_masks():
    labels = np.array([2**24 + 1])
    tensor, converted = convert((np.ones((1, 2)), labels), "float32", labels_last=True)
    assert (tensor.dtype, int(converted[0])) == ("float32", 2**24 + 1)
    assert convert(labels, "float32").dtype == "float32"
    masked = keras.ops.ones((2, 3), "float64")
    attach_mask(masked, keras.ops.ones((2,), "bool"))
    assert mask_of(convert(masked, "float32")) is None
    assert mask_of(masked) is not None


def test_masks_of_keras_are_found_and_joined():
    signal = [keras.ops.ones((2, 3)) for _ in range(3)]
    for tensor, mask in zip(signal, ([[1, 1, 0], [1, 1, 1]], [[1, 0, 1], [1, 1, 1]]), strict=False):
        attach_mask(tensor, keras.ops.convert_to_tensor(mask))
    found = masks_of(tuple(signal))
    assert len(found) == 2
    assert np.asarray(join_masks(found)).tolist() == [[True, False, False], [True, True, True]]
    assert join_masks([]) is None


def test_masks_of_two_shapes_are_refused():
    with pytest.raises(ValueError, match=r"masks of different shapes: \(2, 3\) and \(2, 4\)"):
        join_masks([np.ones((2, 3)), np.ones((2, 4))])


@pytest.mark.parametrize("shape", [(4,), (4, 1), (4, 1, 1), (4, 3), (4, 3, 1), (4, 3, 2)])
def test_sample_weights_are_one_per_sample_or_one_per_position(shape):
    weights = np.arange(np.prod(shape)).reshape(shape) % 2 == 0
    per_sample, per_position = split_sample_weight(weights, "float32")
    found, none = (per_sample, per_position) if np.prod(shape) == 4 else (per_position, per_sample)
    assert none is None
    assert keras.ops.dtype(found) == "float32"
    np.testing.assert_array_equal(found, weights.squeeze())


def test_no_sample_weights_are_neither():
    assert split_sample_weight(None, "float32") == (None, None)
