"""Operations on elements tie what they join."""

import keras
import pytest
from keras import layers, ops

from keras_kd.compression.shrinking.following import follow
from keras_kd.graphs import graph_of
from tests.compression.shrinking.grouping import groups_in, kept_in
from tests.compression.shrinking.models import conv, image_model

GROUPS = {
    "bottleneck": [
        (8, "stem wide1 wide2", "", "narrow1 narrow2 head"),
        (6, "narrow1", "norm1", "wide1"),
        (6, "narrow2", "norm2", "wide2"),
    ],
    "squeeze_excite": [(8, "stem expand", "", "reduce head"), (4, "reduce", "", "expand")],
    "spatial_gate": [(6, "after", "", "head")],
    "scaled_by_arrays": [(8, "stem", "", "after"), (5, "after", "", "head")],
    "in_half_precision": [(8, "stem half", "", "half head")],
    "two_inputs_and_outputs": [(8, "a b", "", "hidden y"), (10, "hidden", "", "x")],
}


@pytest.mark.parametrize("name", GROUPS)
def test_what_is_joined_is_tied(name):
    assert groups_in(name) == GROUPS[name]


def test_one_channel_for_all_is_kept():
    assert kept_in("spatial_gate") == {
        "mean": "it computes with all channels",
        "multiply": "it is used for every channel of another tensor",
        "stem": "is read by 'mean': it computes with all channels",
        "gate": "is read by 'multiply': it is used for every channel of another tensor",
    }


def test_what_is_added_to_an_input_is_kept():
    model = image_model(lambda x: x)()
    stem = model.get_layer("stem").output
    sized = keras.Input((8, 8, 8), name="other")
    both = keras.Model([model.input, sized], layers.Add(name="sum")([stem, sized]))
    head = layers.Dense(2, name="head")(both.output)
    found = kept_in(keras.Model(both.inputs, head))
    assert found == {"stem": "is joined by 'sum' with a tensor that keeps its size"}


def test_channels_along_another_axis_are_kept():
    """Rows of height are no channels of an image."""

    def body(x):
        return x * layers.Dense(8, name="rows")(ops.mean(x, axis=(1, 2)))[:, :, None, None]

    model = image_model(body)()
    assert groups_in(model) == [(8, "stem", "", "rows head")]
    assert set(kept_in(model)) == {"multiply", "rows"}


def test_noise_of_a_fixed_shape_is_kept():
    fixed = image_model(lambda x: layers.Dropout(0.5, noise_shape=(None, 1, 1, 8), name="drop")(x))()
    assert kept_in(fixed)["drop"] == "its noise_shape holds their number"
    free = image_model(lambda x: layers.Dropout(0.5, noise_shape=(None, 1, 1, None), name="drop")(x))()
    assert kept_in(free) == {}


def test_an_activation_layer_may_mix():
    model = image_model(lambda x: conv(5, "after")(layers.Activation("softmax", name="mixing")(x)))()
    assert kept_in(model)["mixing"] == "its activation 'softmax' computes with all channels"


def test_labels_of_a_scalar_channel_broadcast():
    """A gate of one element for each channel has the channels of what it scales."""
    model = image_model(lambda x: x * layers.GlobalAveragePooling2D(keepdims=True, name="mean")(x))()
    channels = follow(graph_of(model))
    product = next(call for call in channels.graph.calls if call.path == "multiply")
    assert channels.of_slots[product.results[0]].shape == (1, 1, 1, 8)
