"""Which operations are followed, and what is kept of the others."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_kd as kd
from keras_kd.compression.shrinking import following
from keras_kd.compression.shrinking.following import follow
from keras_kd.graphs import graph_of, slots_in
from tests.compression.shrinking.grouping import groups_in, kept_in, sequence_model
from tests.compression.shrinking.models import MODELS, conv, headed, image_model
from tests.compression.shrinking.operations import FOLLOWED, NOT_FOLLOWED
from tests.compression.shrinking.oracle import assert_like_the_oracle
from tests.selection import rest_slow

GROUPS = {
    "shared_layer": [(4, "first shared", "norm", "shared head")],
    "siamese": [(8, "tower/conv", "", "tower/code"), (6, "tower/code", "", "head")],
    "opaque": [(8, "stem", "", "conv")],
    "of_users_layer": [
        (8, "stem", "", "hidden"),
        (6, "hidden block/second", "", "block/first head"),
        (6, "block/first", "", "block/second"),
    ],
    "film": [(6, "frames", "norms", "film"), (4, "film", "", "film head")],
}


@pytest.mark.parametrize("name", GROUPS)
def test_shared_nested_and_unknown_layers(name):
    assert groups_in(name) == GROUPS[name]


class Extended(layers.Dense):
    """A layer of Keras that a user extends: nobody knows what it does."""


def with_lora():
    inputs = keras.Input((4,))
    dense = layers.Dense(6, name="dense")
    model = headed(inputs, layers.Dense(8, name="after")(dense(inputs)))
    dense.enable_lora(2)
    return model


def quantized():
    inputs = keras.Input((4,))
    model = headed(inputs, layers.Dense(8, name="after")(layers.Dense(6, name="dense")(inputs)))
    model.get_layer("dense").quantize("int8")
    return model


def spectral():
    return image_model(lambda x: layers.SpectralNormalization(conv(6, "inside"), name="wrapped")(x))()


def first_of_all():
    """It reads an input, without channels, and is named because it has kernels."""
    inputs = keras.Input((5, 3))
    return headed(inputs, layers.RNN([layers.LSTMCell(4), layers.GRUCell(6)], name="stack")(inputs))


def frames():
    entry = keras.Input((4, 4, 4))
    net = keras.Model(entry, layers.GlobalAveragePooling2D()(conv(6, "inside")(entry)), name="net")
    inputs = keras.Input((3, 4, 4, 2))
    x = layers.TimeDistributed(net, name="frames")(layers.Conv3D(4, 1, name="before")(inputs))
    return headed(inputs, layers.LSTM(5, name="lstm")(x))


KEPT = {
    "frames": (
        frames,
        {
            "frames": "Functional cannot be followed",
            "before": "is read by 'frames': Functional cannot be followed",
        },
    ),
    "opaque": (
        MODELS["opaque"],
        {"unknown": "Lambda cannot be followed", "conv": "is read by 'unknown': Lambda cannot be followed"},
    ),
    "extended": (
        lambda: sequence_model(lambda x: Extended(6, name="extended")(x)),
        {"extended": "Extended cannot be followed"},
    ),
    "lora": (with_lora, {"dense": "it is quantized, or has LoRA"}),
    "quantized": (quantized, {"dense": "it is quantized, or has LoRA"}),
    "spectral": (
        spectral,
        {
            "wrapped": "SpectralNormalization cannot be followed",
            "stem": "is read by 'wrapped': SpectralNormalization cannot be followed",
        },
    ),
    "first": (first_of_all, {"stack": "only plain cells without kept states can lose units"}),
}


@pytest.mark.parametrize("name", KEPT)
def test_what_cannot_be_followed_is_kept_and_named(name):
    make, expected = KEPT[name]
    assert kept_in(make()) == expected


def test_preprocessing_is_not_worth_a_word():
    def make():
        inputs = keras.Input((8, 8, 3))
        x = layers.Normalization(mean=[0.0, 1.0, 2.0], variance=[1.0, 2.0, 3.0])(inputs)
        x = layers.RandomFlip()(layers.Rescaling(2.0)(x))
        return headed(inputs, conv(6, "conv")(x))

    assert kept_in(make()) == {}


def test_outputs_keep_their_channels():
    channels = follow(graph_of(MODELS["two_inputs_and_outputs"]()))
    for slot in slots_in(channels.graph.outputs):
        assert channels.ties.why_kept(channels.of_slots[slot]) == "is an output of the model"


def test_steps_of_a_sequence_are_followed():
    def body(x):
        x = layers.TimeDistributed(layers.Dense(6, activation="relu"), name="each")(x)
        return layers.TimeDistributed(layers.LayerNormalization(), name="norms")(x)

    assert groups_in(sequence_model(body)) == [(6, "each", "norms", "head")]


def test_channels_along_the_steps_are_kept():
    def body(x):
        turned = layers.Permute((2, 1))(layers.Dense(6, name="dense")(x))
        return layers.TimeDistributed(layers.Dense(3), name="each")(turned)

    model = sequence_model(body)
    assert [group[1] for group in groups_in(model)] in (["each"], [])
    assert kept_in(model)["dense"].startswith("is read by 'each'")


def test_calls_of_one_reshape_lose_the_same():
    inputs, reshape = keras.Input((12,)), layers.Reshape((3, 4), name="shape")
    both = [reshape(layers.Dense(12, name=name)(inputs)) for name in ("a", "b")]
    x = ops.concatenate([layers.Dense(5, name=f"of_{i}")(x) for i, x in enumerate(both)], axis=-1)
    channels, made_by = groups_in(headed(inputs, layers.Flatten()(x)))[0][:2]
    assert (channels, set(made_by.split())) == (4, {"a", "b"})


def test_calls_with_arrays_lose_the_same():
    """The array in a call of `x * w` is cut once; a shared tower multiplies with it twice."""
    entry, inputs = keras.Input((4,)), [keras.Input((4,)), keras.Input((4,))]
    x = layers.Dense(6, name="dense")(entry) * np.arange(1, 7, dtype="float32")
    tower = keras.Model(entry, x, name="tower")
    model = headed(inputs, layers.Concatenate()([tower(one) for one in inputs]))
    assert groups_in(model) == [(6, "tower/dense", "", "head")]


def with_heads(inputs, tensors):
    """A model in which dense layers read some tensors, those of a shape together, as numbers."""
    alike = {}
    for x in tensors:
        x = ops.abs(x) if "complex" in x.dtype else x
        x = x if x.dtype == "float32" else ops.cast(x, "float32")
        alike.setdefault(x.shape[:-1], []).append(x)
    joined = [ops.concatenate(parts, axis=-1) for parts in alike.values()]
    return keras.Model(inputs, [layers.Dense(2, name=f"head{i}")(x) for i, x in enumerate(joined)])


def of_followed(name):
    body, shape = FOLLOWED[name]
    inputs = keras.Input(shape)
    x, y = (layers.Dense(8, activation="sigmoid", name=name)(inputs) for name in "xy")
    return with_heads(inputs, body(x, y))


@pytest.mark.parametrize("name", rest_slow(list(FOLLOWED), "of_two", "moved", "products", "images"))
def test_every_operation_that_is_followed(name):
    """One that was not would keep the channels of both layers, which all operations of a family read."""
    model = of_followed(name)
    heads = {f"head{i}": "is an output of the model" for i in range(len(model.outputs))}
    assert kd.channel_groups(model).kept_whole == heads
    assert assert_like_the_oracle(model).get_layer("x").units == 4


def test_the_table_of_operations_is_whole():
    calls = [call for name in FOLLOWED for call in graph_of(of_followed(name)).calls]
    found = {type(call.operation).__name__ for call in calls if not isinstance(call.operation, layers.Layer)}
    # `ops.abs` and `ops.conj` make an Absolute and a Conjugate; a Ravel leaves no samples to read.
    assert following.OPERATIONS.keys() - found == {"Abs", "Conj", "Ravel"}


def test_every_operation_that_is_not_followed_keeps_its_channels():
    inputs = keras.Input((5, 4))
    read = [f(layers.Dense(8, name=f"dense{i}")(inputs)) for i, (f, _) in enumerate(NOT_FOLLOWED)]
    found = kd.channel_groups(with_heads(inputs, read))
    assert found.groups == ()
    for i, (_, why) in enumerate(NOT_FOLLOWED):
        assert why in found.kept_whole[f"dense{i}"]
