"""Labels go where elements go."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_kd.compression.shrinking.rules.moving import key_by_axis
from tests.compression.shrinking.grouping import groups_in, kept_in, sequence_model
from tests.compression.shrinking.oracle import compare_with_oracle, cut_at_random, with_random_weights

GROUPS = {
    "dense_block": [
        (8, "stem", "norm0 norm1 norm2", "grown0 grown1 grown2 head"),
        (4, "grown0", "norm1 norm2", "grown1 grown2 head"),
        (4, "grown1", "norm2", "grown2 head"),
        (4, "grown2", "", "head"),
    ],
    "flattened": [(8, "stem", "", "hidden"), (7, "hidden", "", "head")],
    "permuted": [(5, "rows", "", "head")],
    "decoded": [(8, "stem", "", "code"), (6, "code", "", "after"), (5, "after", "", "head")],
    # The shuffle puts channels of both groups side by side; the same places of both are tied.
    "shuffled": [
        (4, "stem", "", "grouped"),
        (6, "grouped", "", "after"),
        (5, "after", "", "head"),
    ],
    "gated_linear": [
        (8, "stem", "", "double"),
        (6, "double", "", "after"),
        (5, "after", "", "head"),
    ],
    # Channel 4 is in both slices; alone in its group, it stays.
    "sliced": [
        (8, "stem", "", "wide"),
        (4, "wide", "", "left"),
        (7, "wide", "", "right"),
        (5, "left right", "", "head"),
    ],
    "stacked": [(8, "stem other", "", "other after"), (5, "after", "", "head")],
}


@pytest.mark.parametrize("name", GROUPS)
def test_channels_are_found_where_they_were_moved(name):
    assert groups_in(name) == GROUPS[name]


def dense(x):
    return layers.Dense(8, name="dense")(x)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (lambda x: dense(x)[..., ::2], "get_item"),
        (lambda x: dense(x)[..., 3][..., None], "get_item"),
        (lambda x: sum(ops.unstack(dense(x), 8, axis=-1))[..., None], None),
    ],
    ids=["stride", "number", "unstacked"],
)
def test_what_takes_single_channels_is_kept(body, path):
    model = sequence_model(body)
    assert groups_in(model) == []
    if path is not None:
        assert kept_in(model)[path] == "it takes single channels or every n-th one"
        assert kept_in(model)["dense"].startswith(f"is read by {path!r}")


def test_an_axis_that_is_read_as_a_whole_is_kept():
    assert kept_in("permuted") == {"stem": "is read by 'rows' along several axes"}


def test_arrays_beside_channels_are_no_labels():
    """The numbers in an array that is joined with a tensor say nothing of channels."""
    inputs = keras.Input(batch_shape=(1, 4))
    joined = ops.concatenate(
        [layers.Dense(6, name="dense")(inputs), np.full((1, 2), 3.0, "float32")], axis=-1
    )
    model = keras.Model(inputs, layers.Dense(2, name="head")(joined))
    assert groups_in(model) == [(6, "dense", "", "head")]
    opened, cut = cut_at_random(with_random_weights(model))
    small = cut.model(opened)
    assert small.get_layer("head").kernel.shape == (5, 2)


def test_halves_that_change_places():
    """A split whose parts are joined again in another order is one group; a part can become empty."""

    def body(x):
        first, second = ops.split(dense(x), 2, axis=-1)
        return ops.concatenate([second, first], axis=-1)

    model = with_random_weights(sequence_model(body))
    opened, cut = cut_at_random(model, 0.9)
    assert compare_with_oracle(opened, cut).get_layer("dense").units == 1


@pytest.mark.parametrize(
    ("key", "rank", "expected"),
    [
        ((..., slice(0, 2)), 3, [(2, slice(0, 2))]),
        (slice(1, 2), 2, [(0, slice(1, 2))]),
        ((slice(None), None, 3), 2, [(0, slice(None)), (1, 3)]),
        ((0, ..., -1), 4, [(0, 0), (3, -1)]),
        ((slice(None), [0, 1]), 2, [(0, slice(None)), (None, [0, 1])]),
    ],
)
def test_keys_are_read_by_axis(key, rank, expected):
    assert key_by_axis(key, rank) == expected


def test_channels_that_are_all_tied_together_are_kept():
    def crossed(x):
        x = layers.Dense(5, name="square")(x)
        x = layers.Flatten(name="flat")(x + ops.transpose(x, (0, 2, 1)))
        return layers.Reshape((1, 25), name="shape")(x)

    why = "is read by 'flat': all of its channels are tied together"
    assert kept_in(sequence_model(crossed))["square"] == why
