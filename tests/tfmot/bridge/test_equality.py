"""Whether two models compute the same: a model that computes something else is never returned."""

import keras
import numpy as np
import pytest

import keras_kd as kd
from keras_kd.tfmot.bridge.equality import (
    dense_arrays,
    find_masked_layers,
    largest_difference,
    relative_difference,
    tolerance,
)
from tests.tfmot.bridge.models import Scale, TfScale, both_ways, normal, randomized

L = keras.layers


def test_a_model_that_computes_something_else_is_never_returned():
    class Wrong(TfScale):
        def call(self, inputs):
            return super().call(inputs) * 1.001

    model = randomized(keras.Sequential([keras.Input((4,)), Scale()]))
    with pytest.raises(
        ValueError, match=r"the largest difference is 0\.001 of the largest output, where 1e-05"
    ):
        kd.tfmot.to_tf_keras(model, custom_layers={Scale: Wrong})
    assert kd.tfmot.to_tf_keras(model, custom_layers={Scale: Wrong}, check=False) is not None


@pytest.mark.parametrize(
    ("expected", "received", "difference"),
    [
        ([2.0, -4.0], [2.0, -3.0], 0.25),
        ([0.0, 0.0], [0.0, 0.0], 0.0),
        ([0.0, 0.0], [0.0, 1e-9], np.inf),
        ([np.nan, np.inf, 1.0], [np.nan, np.inf, 1.0], 0.0),
        ([np.nan, 1.0], [1.0, 1.0], np.inf),
        ([np.inf, 1.0], [-np.inf, 1.0], np.inf),
        ([3, 4], [3, 4], 0.0),
        ([3, 4], [3, 5], np.inf),
        ([b"cat"], [b"dog"], np.inf),
        ([True], [False], np.inf),
    ],
)
def test_differences_are_relative_to_the_largest_value(expected, received, difference):
    assert relative_difference(np.array(expected), np.array(received)) == difference


def chaotic(limit):
    """A model that turns its roundings into noise while its inputs stay below a limit."""
    inputs = keras.Input((6, 6, 4))
    x = L.BatchNormalization()(L.Conv2D(4, 3)(inputs))
    noise = keras.ops.sin(1e8 * x)
    return randomized(keras.Model(inputs, keras.ops.where(keras.ops.max(inputs) < limit, noise, x)))


def test_a_model_that_amplifies_roundings_is_checked_where_it_does_not():
    both_ways(chaotic(limit=10.0), 20.0 + normal(6, 6, 4), atol=1e-3)
    with pytest.raises(
        ValueError, match="could not be checked, since inputs that differ by one rounding error change"
    ):
        kd.tfmot.to_tf_keras(chaotic(limit=1e9))
    assert kd.tfmot.to_tf_keras(chaotic(limit=1e9), check=False) is not None


def test_outputs_of_other_shapes_differ_without_limit():
    assert largest_difference([np.ones(2), np.ones(3)], [np.ones(2), np.full(3, 1.5)]) == 0.5
    assert largest_difference([np.ones(2)], [np.ones((2, 1))]) == np.inf
    assert largest_difference([], []) == 0.0


def test_the_tolerance_grows_with_the_depth_in_half_precision_only():
    def deep(dtype, depth):
        return keras.Sequential([keras.Input((2,)), *(L.Dense(2, dtype=dtype) for _ in range(depth))])

    assert tolerance(deep("float32", 2)) == tolerance(deep("float32", 30)) == 1e-5
    shallow, more = tolerance(deep("mixed_float16", 3)), tolerance(deep("mixed_float16", 15))
    assert shallow == pytest.approx(4 * 2.0**-11 * 2, rel=0.2)
    assert more / shallow == pytest.approx(2, rel=0.1)


def test_values_that_a_mask_hides_are_zero_and_masks_are_outputs_too():
    masked = L.Masking(9.0)(np.array([[[1.0, 2.0], [9.0, 9.0]]], "float32"))
    values, kept = dense_arrays([masked])
    assert values.tolist() == [[[1, 2], [0, 0]]]
    assert kept.tolist() == [[[True, True], [False, False]]]


def test_masked_layers_are_those_whose_results_carry_a_mask():
    ids = keras.Input((4,), dtype="int32")
    x = L.Dense(2, name="dense")(L.Embedding(9, 2, mask_zero=True, name="embedding")(ids))
    model = keras.Model(ids, L.GlobalAveragePooling1D(name="pool")(x))
    found = find_masked_layers(model)
    assert {name for name, has_mask in found.items() if has_mask} == {"embedding", "dense"}
    over = find_masked_layers(kd.tfmot.to_tf_keras(model))
    assert {name for name, has_mask in over.items() if has_mask} == {"embedding", "dense"}
