"""Copies of layers share nothing with their originals."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_kd.graphs.copies import NotCopied, copied, copy_state
from tests.graphs.topologies import Block


def test_a_copy_has_the_weights_the_seeds_and_the_flags():
    original = Block(4, name="block")
    original.build((None, 4))
    copy = copied(original, "model")
    copy.build((None, 4))
    copy_state(original, copy)
    for a, b in zip(original.variables, copy.variables, strict=True):
        np.testing.assert_array_equal(a, b)
        assert a is not b
    assert [v.trainable for v in copy.variables] == [v.trainable for v in original.variables]
    dropout = layers.Dropout(0.5, seed=3)
    dropout(np.ones((2, 2)), training=True)
    again = copied(dropout, "model")
    copy_state(dropout, again)
    x = np.ones((4, 8), "float32")
    np.testing.assert_array_equal(dropout(x, training=True), again(x, training=True))


def test_what_holds_nothing_is_used_as_it_is():
    inputs = keras.Input((2,))
    operation = keras.ops.relu(inputs)._keras_history.operation
    function = layers.Lambda(lambda x: 2 * x)
    assert copied(operation, "model") is operation
    assert copied(function, "model") is function


class Wordless(layers.Layer):
    def __init__(self, units):
        super().__init__(name="wordless")
        self.units = units


def test_a_layer_without_a_configuration_is_named():
    with pytest.raises(NotCopied, match=r"'wordless' \(Wordless\) of 'mine' cannot be copied.*get_config"):
        copied(Wordless(2), "mine")
