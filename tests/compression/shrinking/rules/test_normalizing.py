"""Layers with a number for each channel."""

import pytest
from keras import layers

from tests.compression.shrinking.grouping import groups_in, kept_in
from tests.compression.shrinking.models import conv, image_model
from tests.compression.shrinking.oracle import assert_like_the_oracle

GROUPS = {
    # The norm has 4 groups of 3 channels, which keep the same places: 3 to choose from.
    "group_normalized": [
        (8, "stem", "", "conv"),
        (3, "conv", "norm", "after"),
        (8, "after", "instances", "head"),
    ],
    "layer_normalized": [
        (8, "stem", "", "conv"),
        (10, "conv", "norm", "after"),
        (6, "after", "root", "head"),
    ],
    "sloped": [
        (8, "stem", "", "conv"),
        (6, "conv", "slope", "after"),
        (5, "after", "shared", "head"),
    ],
}


@pytest.mark.parametrize("name", GROUPS)
def test_norms_lie_along_channels(name):
    assert groups_in(name) == GROUPS[name]


@pytest.mark.parametrize(
    "layer",
    [layers.LayerNormalization(axis=[1, 2, 3], name="norm"), layers.BatchNormalization(axis=1, name="norm")],
    ids=["all_axes", "rows"],
)
def test_norms_along_other_axes_keep_the_channels(layer):
    model = image_model(named(layer))()
    assert groups_in(model) == []
    assert kept_in(model) == {"stem": "is read by 'norm' along several axes"}


def named(layer):
    def body(x):
        return layer(x)

    return body


def test_norms_without_weights_pass_channels_on():
    model = image_model(named(layers.LayerNormalization(center=False, scale=False, name="norm")))()
    assert groups_in(model) == [(8, "stem", "", "head")]


@pytest.mark.parametrize("groups", [-1, 8])
def test_a_group_for_each_channel_needs_no_weights_to_lose_some(groups):
    norm = layers.GroupNormalization(groups, center=False, scale=False, name="norm")
    small = assert_like_the_oracle(image_model(lambda x: conv(6, "after")(norm(x)))())
    assert small.get_layer("norm").groups == small.get_layer("stem").filters == 4


def test_a_shared_norm_with_a_group_for_each_channel_loses_the_same_ones():
    norm = layers.GroupNormalization(-1, center=False, scale=False, name="norm")
    model = image_model(lambda x: conv(6, "after")(norm(conv(8, "conv")(norm(x)))))()
    assert groups_in(model)[0] == (8, "stem conv", "", "conv after")
    assert_like_the_oracle(model)
