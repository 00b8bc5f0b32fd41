"""Masks that a functional model's graph computes from its inputs alone."""

import keras
import numpy as np

from keras_kd.paths import layers_by_path
from keras_kd.signals.addresses import find_address
from keras_kd.signals.padding_masks import mask_models

TOKENS = np.array([[3, 1, 0], [2, 0, 0]])
MASK = [[True, True, False], [True, False, False]]


def encoder(name="encoder"):
    inputs = keras.Input((3,), dtype="int32")
    x = keras.layers.Embedding(5, 4, mask_zero=True, name="embedding")(inputs)
    x = keras.layers.Add(name="attended")([x, keras.layers.MultiHeadAttention(1, 2, name="attention")(x, x)])
    return keras.Model(inputs, keras.layers.LayerNormalization(name="norm")(x), name=name)


def masks_of(model, *taps):
    layers = layers_by_path(model)
    return mask_models(model, layers, {tap: find_address("", layers, tap) for tap in taps})


def test_the_mask_that_attention_takes_off_while_the_model_runs_is_in_the_graph():
    model = encoder()
    ((owner, masks),) = masks_of(model, "attended", "norm")
    assert owner is model
    found = masks(TOKENS)
    assert {tap: np.asarray(mask).tolist() for tap, mask in found.items()} == dict.fromkeys(
        ["attended", "norm", "output"], MASK
    )


def test_a_nested_model_has_masks_of_its_own():
    inputs = keras.Input((3,), dtype="int32")
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling1D()(encoder("inner")(inputs)))
    ((owner, masks),) = masks_of(model, "inner/attended")
    assert owner.name == "inner"
    assert np.asarray(masks(TOKENS)["inner/attended"]).tolist() == MASK


def test_a_model_without_padding_and_a_layer_that_is_called_twice_have_none():
    inputs = keras.Input((3,))
    dense = keras.layers.Dense(3, name="dense")
    assert masks_of(keras.Model(inputs, dense(inputs)), "dense") == []
    tokens = keras.Input((3,), dtype="int32")
    x = keras.layers.Embedding(5, 3, mask_zero=True)(tokens)
    pooled = keras.layers.GlobalAveragePooling1D()(dense(dense(x)))
    assert masks_of(keras.Model(tokens, pooled), "dense") == []
