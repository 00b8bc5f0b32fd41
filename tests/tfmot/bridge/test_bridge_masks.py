"""Masks over the bridge: padded steps count for as little in the other library."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import keras_kd as kd

L, T = keras.layers, tf_keras.layers
pytestmark = pytest.mark.filterwarnings("ignore:Layer .* was passed an input with a mask:UserWarning")
# So many words that ids which are drawn do not happen to be padding.
WORDS = 5000
IDS = tf.constant([[5, 6, 7, 0, 0, 0], [3, 0, 0, 0, 0, 0]])


def pooled(middle, steps=None):
    """A text model of Keras 3 with a layer between an embedding and the mean over the steps that count."""
    ids = keras.Input((steps,), dtype="int32")
    x = middle(L.Embedding(WORDS, 8, mask_zero=True)(ids))
    return keras.Model(ids, L.Dense(2)(L.GlobalAveragePooling1D()(x)))


def nested(x):
    inner = keras.Input((None, 8))
    block = keras.Model(inner, L.Identity()(L.Add()([inner, L.Conv1D(8, 3, padding="same")(inner)]) + inner))
    return block(x)


MIDDLES = {
    "Add": lambda x: L.Add()([x, L.Conv1D(8, 3, padding="same")(x)]),
    "Add constant": lambda x: L.Add()([x, keras.ops.ones_like(x)]),
    "Add masks": lambda x: L.Add()([x, L.Masking(0.0)(keras.ops.relu(x))]),
    "Subtract": lambda x: L.Subtract()([x, x * 2.0]),
    "Concatenate": lambda x: L.Concatenate()([x, L.Conv1D(8, 3, padding="same")(x)]),
    "Identity": lambda x: L.Identity()(x),
    "Rescaling": lambda x: L.Rescaling(2.0)(x),
    "GroupNormalization": lambda x: L.GroupNormalization(2)(x),
    "attention with dropout": lambda x: x + L.MultiHeadAttention(2, 4, dropout=0.1)(query=x, value=x),
    "attention scores": lambda x: L.MultiHeadAttention(2, 4)(x, x, return_attention_scores=True)[1][:, 0],
    "nested": nested,
}


# One of each way that a mask takes: merged, passed on, read.
QUICK = ("Add masks", "Identity", "attention scores", "nested")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.slow]) for name in MIDDLES]
)
def test_padded_steps_count_for_as_little(name):
    model = pooled(MIDDLES[name], steps=6)
    over = kd.tfmot.to_tf_keras(model)
    np.testing.assert_allclose(over(IDS), model(IDS), atol=1e-6)
    back = kd.tfmot.from_tf_keras(over)
    np.testing.assert_allclose(back(IDS), model(IDS), atol=1e-6)
    assert [type(layer) for layer in back.layers] == [type(layer) for layer in model.layers]


def test_masks_that_both_libraries_pass_on_alike_leave_layers_that_tfmot_knows():
    model = pooled(lambda x: L.Add()([x, L.Dense(8)(L.MultiHeadAttention(2, 4)(x, x))]))
    over = kd.tfmot.to_tf_keras(model)
    np.testing.assert_allclose(over(IDS), model(IDS), atol=1e-6)
    assert {"Add", "MultiHeadAttention"} <= {type(layer).__name__ for layer in over.layers}


def test_an_added_layer_saves_its_masks(tmp_path):
    model = pooled(MIDDLES["Add"])
    kd.tfmot.to_tf_keras(model).save(tmp_path / "model.keras")
    loaded = tf_keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded(IDS), model(IDS), atol=1e-6)


@pytest.mark.parametrize("mask_value", [0.0, -1.0])
def test_steps_that_a_masking_layer_hides_are_tried(mask_value):
    inputs = T.Input((6, 4))
    x = T.Rescaling(2.0, name="twice")(T.Masking(mask_value)(inputs))  # ends the mask in tf_keras alone
    with pytest.raises(
        ValueError, match=r"with padded steps .* Masks, which .*, are the likely cause.*after twice only"
    ):
        kd.tfmot.from_tf_keras(tf_keras.Model(inputs, T.GlobalAveragePooling1D()(x)))


def test_masks_of_text_are_tried():
    inputs = T.Input((6,), dtype="string")
    x = T.StringLookup(vocabulary=["a", "b"], mask_token="")(inputs)
    x = T.Rescaling(2.0, name="twice")(T.Embedding(4, 3, mask_zero=True)(x))
    with pytest.raises(ValueError, match=r"Masks, which .*, are the likely cause.*after twice only"):
        kd.tfmot.from_tf_keras(tf_keras.Model(inputs, T.GlobalAveragePooling1D()(x)))


def test_masks_of_outputs_are_compared_since_losses_read_them():
    inputs = T.Input((6, 4))
    model = tf_keras.Model(inputs, T.Rescaling(2.0, name="twice")(T.Masking()(inputs)))
    with pytest.raises(ValueError, match="after twice only one of the models has a mask"):
        kd.tfmot.from_tf_keras(model)


def test_what_a_mask_of_an_output_hides_may_differ():
    class Odd(T.Layer):
        """Fills padded steps with something else."""

        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.supports_masking = True

        def call(self, inputs, mask=None):
            return inputs if mask is None else tf.where(mask[..., None], inputs, 9.0)

    class Even(L.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.supports_masking = True

        def call(self, inputs, mask=None):
            return inputs

    ids = keras.Input((6,), dtype="int32")
    x = Even()(L.Embedding(WORDS, 3, mask_zero=True)(ids))
    kd.tfmot.to_tf_keras(keras.Model(ids, x), custom_layers={Even: Odd})
    with pytest.raises(ValueError, match=r"Masks, which .*, are the likely cause"):
        kd.tfmot.to_tf_keras(keras.Model(ids, L.Flatten()(x)), custom_layers={Even: Odd})
