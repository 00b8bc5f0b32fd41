"""Units of recurrent layers."""

import pytest
from keras import layers

from tests.compression.shrinking.grouping import groups_in, kept_in, sequence_model

GROUPS = {
    "recurrent": [
        (6, "words", "", "lstm"),
        (8, "lstm", "", "lstm gru"),
        (6, "gru", "", "gru old_gru"),
        (6, "old_gru", "", "old_gru simple"),
        (5, "simple", "", "simple head"),
    ],
    # Both directions lose the same units, because Keras takes them to be equally wide.
    "bidirectional": [
        (6, "joined", "", "joined added"),
        (6, "added", "", "added cells"),
        (4, "cells", "", "cells head"),
    ],
    "states": [
        (8, "encoder decoder", "", "encoder between decoder head"),
        (6, "between", "", "decoder"),
    ],
}


@pytest.mark.parametrize("name", GROUPS)
def test_units_are_made_and_read_by_their_own_kernels(name):
    assert groups_in(name) == GROUPS[name]


def dense(x):
    return layers.Dense(6, name="dense")(x)


def masked(x):
    steps = layers.Dense(5, name="steps")(layers.Flatten()(x)) > 0
    return layers.LSTM(4, return_sequences=True, name="lstm")(dense(x), mask=steps)


PLAIN = "only plain cells without kept states can lose units"
KEPT = {
    "stacked": (
        lambda x: layers.RNN(
            layers.StackedRNNCells([layers.LSTMCell(4), layers.LSTMCell(5)]),
            return_sequences=True,
            name="rnn",
        )(dense(x)),
        {"rnn": PLAIN, "dense": f"is read by 'rnn': {PLAIN}"},
    ),
    "first": (
        lambda x: layers.RNN(layers.StackedRNNCells([layers.GRUCell(4)]), return_sequences=True, name="rnn")(
            x
        ),
        {"rnn": PLAIN},
    ),
    "mixing": (
        lambda x: layers.SimpleRNN(4, activation="softmax", return_sequences=True, name="rnn")(dense(x)),
        {
            "rnn": "is read by 'rnn': its activation 'softmax' computes with all channels",
        },
    ),
    "masked": (masked, {"lstm": "they are a mask", "steps": "is read by 'lstm': they are a mask"}),
}


@pytest.mark.parametrize("name", KEPT)
def test_what_is_kept_is_named(name):
    body, expected = KEPT[name]
    assert kept_in(sequence_model(body)) == expected


def test_directions_that_return_their_states_are_kept():
    def body(x):
        both = layers.Bidirectional(layers.GRU(4, return_sequences=True, return_state=True), name="both")
        return both(dense(x))[0]

    why = "of bidirectional layers, only those without given or returned states can lose units"
    assert kept_in(sequence_model(body))["both"] == why
