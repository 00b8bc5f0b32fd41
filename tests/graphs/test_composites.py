"""Layers made of layers become nested models that compute the same, or stay and are named."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_kd.graphs import open_layers
from keras_kd.graphs.composites import is_composite
from keras_kd.keras_internals import all_layers
from keras_kd.paths import layers_by_path
from tests.compression.shrinking.oracle import with_random_weights
from tests.graphs.composites import (
    OPENED,
    Converting,
    Deciding,
    Inverted,
    Masking,
    Reading,
    Weighing,
    encoder,
    inverted,
    nested_blocks,
)
from tests.graphs.topologies import inputs_for, outputs_of

PATHS = {
    "encoder": ["block1/attention", "block1/attention_norm", "block2/wide", "block2/drop"],
    "inverted": ["first/steps_0", "first/steps_2", "first/excite", "first/project", "second/steps_1"],
    "nested_blocks": ["backbone/outer/scale", "backbone/outer/inner/hidden", "backbone/outer/inner/out"],
    "in_sequence": ["first/steps_0", "first/project", "pool"],
    "the_same_twice": ["first/attention", "first/out", "second/attention", "second/out"],
}


def drawn(model):
    """Inputs, of which those that are masks are true or false."""
    inputs = inputs_for(model)
    masks = [symbol.dtype == "bool" for symbol in model.inputs]
    return (
        [x > 0 if is_mask else x for x, is_mask in zip(inputs, masks, strict=True)] if any(masks) else inputs
    )


@pytest.mark.parametrize("name", OPENED)
def test_what_is_opened_computes_the_same_under_the_same_names(name):
    model = with_random_weights(OPENED[name]())
    before, inputs = [np.array(weight) for weight in model.get_weights()], drawn(model)
    opened, closed = open_layers(model)
    assert closed == {}
    assert type(opened) is type(model)
    assert not any(map(is_composite, all_layers(opened)))
    assert set(PATHS[name]) <= set(layers_by_path(opened))
    for a, b in zip(outputs_of(opened, inputs), outputs_of(model, inputs), strict=True):
        np.testing.assert_array_equal(a, b)
    assert opened.count_params() == model.count_params()
    assert not {id(v) for v in model.variables} & {id(v) for v in opened.variables}
    opened.set_weights([np.zeros_like(weight) for weight in opened.get_weights()])
    for a, b in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_what_was_opened_needs_no_class_of_a_user(tmp_path):
    opened, _ = open_layers(with_random_weights(inverted()))
    opened.save(tmp_path / "opened.keras")
    loaded, inputs = keras.saving.load_model(tmp_path / "opened.keras"), inputs_for(opened)
    np.testing.assert_array_equal(loaded(inputs), opened(inputs))


def test_training_goes_on_inside():
    """Dropout with the same seeds drops the same; the statistics of BatchNorms move alike."""
    model = with_random_weights(encoder(dropout=0.5))
    opened, inputs = open_layers(model).model, drawn(model)
    assert np.abs(np.asarray(opened(inputs)) - np.asarray(opened(inputs, training=True))).max() > 0.1
    model, inputs = with_random_weights(inverted()), inputs_for(inverted())
    opened = open_layers(model).model
    for one in (model, opened):
        one(inputs, training=True)
    first, second = opened.get_layer("first").get_layer("steps_1"), model.get_layer("first").steps[1]
    np.testing.assert_array_equal(first.moving_mean, second.moving_mean)


def test_masks_given_as_tensors_reach_the_layers_inside():
    model = with_random_weights(encoder())
    opened, (words, mask) = open_layers(model).model, drawn(model)
    np.testing.assert_array_equal(opened([words, mask]), model([words, mask]))
    assert np.abs(np.asarray(opened([words, mask])) - np.asarray(opened([words, ~mask]))).max() > 0.01


def test_flags_and_precisions_are_kept():
    model = inverted()
    model.get_layer("first").steps[0].trainable = False
    model.get_layer("second").steps[0].dtype_policy = "float64"
    opened = open_layers(model).model
    first, second = opened.get_layer("first"), opened.get_layer("second")
    assert not first.get_layer("steps_0").trainable
    assert first.get_layer("project").trainable
    assert second.get_layer("steps_0").compute_dtype == "float64"


def around(layer, calls=1, mask=False):
    inputs = keras.Input((6, 4))
    x = layers.Masking(name="masking")(inputs) if mask else inputs
    for _ in range(calls):
        x = layer(x)
    return keras.Model(inputs, layers.Dense(2, name="head")(x))


CLOSED = {
    "training": (lambda: around(Deciding(name="block")), "something else in training"),
    "unused": (lambda: around(Reading(name="block")), "has weights that its call does not use"),
    "values": (lambda: around(Converting(name="block")), "A KerasTensor is symbolic"),
    "twice": (lambda: around(Masking(name="block"), calls=2), "is called several times"),
    "masked": (lambda: around(Masking(name="block"), mask=True), "is passed a padding mask"),
}


@pytest.mark.parametrize("name", CLOSED)
def test_what_cannot_be_opened_stays_and_is_named(name):
    make, why = CLOSED[name]
    model = make()
    opened, closed = open_layers(model)
    assert opened is model
    assert list(closed) == ["block"]
    assert closed["block"].startswith("its call cannot be read: ")
    assert why in closed["block"]


def test_paths_of_what_stays_lead_through_models():
    entry, inputs = keras.Input((6, 4)), keras.Input((6, 4))
    inner = keras.Model(entry, Deciding(name="block")(entry), name="inner")
    outer = keras.Model(inputs, inner(inputs))
    assert list(open_layers(outer).closed) == ["inner/block"]


def test_masks_that_come_from_outside_of_a_nested_model_count():
    entry, inputs = keras.Input((6,), dtype="int32"), keras.Input((6, 4))
    block = keras.Model(inputs, Masking(name="block")(inputs), name="inner")
    block.supports_masking = True
    words = layers.Embedding(5, 4, mask_zero=True)(entry)
    assert "padding mask" in open_layers(keras.Model(entry, block(words))).closed["inner/block"]


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (Inverted(), True),
        (Weighing(), False),
        (layers.Dense(2), False),
        (layers.MultiHeadAttention(2, 2), False),
        (layers.Bidirectional(layers.GRU(2)), False),
        (layers.Lambda(abs), False),
    ],
)
def test_layers_of_layers_are_told_from_others(layer, expected):
    assert is_composite(layer) == expected


def test_nested_models_are_no_layers_of_layers():
    assert not is_composite(nested_blocks())
