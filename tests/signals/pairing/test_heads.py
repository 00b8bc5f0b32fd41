"""Outputs are tapped as "output", so the layers that make them are left out."""

import keras
from keras import layers

from keras_kd.paths import layers_by_path
from keras_kd.signals.listing import tap_names
from keras_kd.signals.pairing.heads import find_head_taps


def heads_of(model):
    return find_head_taps(model, tap_names(model), layers_by_path(model))


def test_the_logits_behind_a_softmax_and_what_repeats_them():
    inputs = keras.Input((4,))
    x = layers.Dense(4, "relu", name="hidden")(inputs)
    x = layers.Reshape((3,), name="shaped")(layers.Dense(3, name="logits")(x))
    assert heads_of(keras.Model(inputs, layers.Softmax(name="classes")(x))) == {"logits", "shaped", "classes"}


def test_operations_that_are_no_layers_are_looked_through():
    inputs = keras.Input((4,))
    logits = layers.Dense(3, name="logits")(layers.Dense(4, name="hidden")(inputs))
    assert heads_of(keras.Model(inputs, keras.ops.softmax(logits / 2.0))) == {"logits"}


def test_every_output_of_several_has_its_head():
    inputs = keras.Input((4,))
    x = layers.Dense(4, name="hidden")(inputs)
    model = keras.Model(inputs, [layers.Dense(2, name="a")(x), layers.Dense(2, "softmax", name="b")(x)])
    assert heads_of(model) == {"a", "b"}


def test_inside_of_a_nested_head_all_from_its_last_kernel_on():
    inputs = keras.Input((4,))
    head = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(4, name="first"),
            layers.Dense(2, name="last"),
            layers.Softmax(name="p"),
        ],
        name="head",
    )
    assert heads_of(keras.Model(inputs, head(inputs))) == {"head", "head/last", "head/p"}
