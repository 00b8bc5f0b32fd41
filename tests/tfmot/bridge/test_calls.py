"""Arguments of a call that go over the bridge: masks given by hand, states, and what cannot be repeated."""

import keras
import pytest
import tensorflow as tf
import tf_keras

import keras_kd as kd
from tests.tfmot.bridge.models import both_ways, normal, randomized

L = keras.layers


@pytest.mark.slow
def test_masks_given_by_hand_go_along():
    x, mask = keras.Input((5, 3)), keras.Input((5,), dtype="bool")
    query = L.Dense(4)(x)
    out = L.MultiHeadAttention(2, 3)(query, query, attention_mask=mask[:, None, :], use_causal_mask=True)
    model = keras.Model([x, mask], [L.GlobalAveragePooling1D()(out, mask=mask), L.SimpleRNN(2)(x, mask=mask)])
    both_ways(
        randomized(model), [normal(5, 3), tf.constant([[True] * 4 + [False], [True, False] + [True] * 3])]
    )


@pytest.mark.slow
def test_states_go_along():
    x, state = keras.Input((5, 3)), keras.Input((4,))
    sequence, last = L.GRU(4, return_sequences=True, return_state=True)(x, initial_state=state)
    decoded, h, c = L.LSTM(4, return_state=True)(sequence, initial_state=[last, state])
    both = L.Bidirectional(L.LSTM(4))(x, initial_state=[h, c, last, state])
    model = randomized(keras.Model([x, state], [decoded, h, both]))
    both_ways(model, [normal(5, 3), normal(4)])


def test_a_layer_that_is_called_as_it_is_may_be_called_in_one_way_only():
    x, y = keras.Input((5, 4)), keras.Input((5, 4))
    attention = L.GroupQueryAttention(3, 2, 1, name="own")
    once = attention(x, y)
    with pytest.raises(ValueError, match=r"own .GroupedQueryAttention.: it is called in two ways"):
        kd.tfmot.to_tf_keras(keras.Model([x, y], [once, attention(x, y, use_causal_mask=True)]))


def test_training_given_in_a_call_cannot_come_to_keras_3():
    inputs = tf_keras.Input((4,))
    always = tf_keras.layers.Dropout(0.5, name="always")(inputs, training=True)
    with pytest.raises(ValueError, match=r"always .Dropout.: it is called with training=True"):
        kd.tfmot.from_tf_keras(tf_keras.Model(inputs, always))
    never = tf_keras.layers.Dropout(0.5, name="never")(inputs, training=False)
    kd.tfmot.from_tf_keras(tf_keras.Model(inputs, never))
