"""Copies of layers share nothing with their originals."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from keras_kd.graphs.copies import NotCopied, config_of, copied, copy_state, has_activation_weights
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


def test_an_operation_that_is_no_layer_is_used_as_it_is():
    operation = keras.ops.relu(keras.Input((2,)))._keras_history.operation
    assert copied(operation, "model") is operation


def test_a_lambda_is_copied_with_its_function_so_that_the_original_keeps_one_output():
    factor = 3
    function = layers.Lambda(
        lambda x, plus: factor * x + plus,
        output_shape=(2,),
        arguments={"plus": 1},
        name="lambda",
        dtype="float64",
    )
    copy = copied(function, "model")
    assert copy is not function
    assert copy(keras.Input((2,))).shape == (None, 2)
    np.testing.assert_array_equal(copy(np.ones((1, 2))), [[4.0, 4.0]])
    assert (copy.name, copy.compute_dtype) == ("lambda", "float64")


def adapted(layer, values):
    layer.adapt(values)
    return layer


STATES = {
    "normalization": (lambda: adapted(layers.Normalization(), np.array([[1.0], [4.0]])), np.array([[2.0]])),
    "integers": (lambda: adapted(layers.IntegerLookup(), [7, 8, 7]), np.array([[8], [7]])),
    "text": (lambda: adapted(layers.TextVectorization(), ["a b", "b"]), tf.constant(["b a"])),
    "tf_idf": (
        lambda: adapted(layers.TextVectorization(output_mode="tf_idf"), ["a b", "b"]),
        tf.constant(["b a"]),
    ),
    "bins": (lambda: adapted(layers.Discretization(num_bins=3), np.arange(9.0)), np.array([[4.0]])),
}


@pytest.mark.parametrize(("make", "x"), STATES.values(), ids=STATES)
def test_what_a_layer_was_adapted_to_is_copied(make, x):
    original = make()
    expected = np.asarray(original(x))
    copy = copied(original, "model")
    copy(keras.Input(x.shape[1:], dtype=x.dtype.name))
    copy_state(original, copy)
    np.testing.assert_array_equal(copy(x), expected)


class Terse(layers.Layer):
    """A layer of a user whose configuration has neither its name nor its precision."""

    def __init__(self, units):
        super().__init__()
        self.inner = layers.Dense(units)

    def build(self, shape):
        self.inner.build(shape)

    def call(self, x):
        return self.inner(x)

    def get_config(self):
        return {"units": self.inner.units}


def test_name_and_precision_are_kept_where_the_configuration_leaves_them_out():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        original = Terse(2)
    finally:
        keras.config.set_dtype_policy("float32")
    original.name = "mine"
    copy = copied(original, "model")
    assert copy.name == "mine"
    assert copy.inner.dtype_policy.name == copy.dtype_policy.name == "mixed_float16"


def test_one_frozen_variable_stays_frozen():
    original = layers.Dense(2)
    original.build((None, 3))
    original.kernel.trainable = False
    copy = copied(original, "model")
    copy.build((None, 3))
    copy_state(original, copy)
    assert [v.trainable for v in copy.variables] == [False, True]


def test_a_layer_that_keras_quantized_in_place_is_copied_whatever_the_order_of_its_variables():
    original = layers.Dense(2)
    original.build((None, 3))
    original.quantize("float8")
    copy = copied(original, "model")
    copy.build((None, 3))
    copy_state(original, copy)
    np.testing.assert_array_equal(copy.kernel, original.kernel)


def test_weights_of_another_shape_say_which_layer_is_to_be_replaced():
    original, copy = layers.Dense(2, name="head"), layers.Dense(2, name="head")
    original.build((None, 3))
    copy.build((None, 4))
    with pytest.raises(
        ValueError, match=r"'head' needs a 'kernel' of the shape \(4, 2\) instead of \(3, 2\)"
    ):
        copy_state(original, copy)
    with pytest.raises(NotCopied, match="'head' has 2 variables, and its copy 0"):
        copy_state(original, layers.Dense(2))


class Wordless(layers.Layer):
    def __init__(self, units):
        super().__init__(name="wordless")
        self.units = units


def test_a_layer_without_a_configuration_is_named():
    with pytest.raises(NotCopied, match=r"'wordless' \(Wordless\) of 'mine' cannot be copied.*get_config"):
        copied(Wordless(2), "mine")


def test_activations_that_are_layers_may_have_weights():
    slope = layers.PReLU()
    dense = layers.Dense(3, activation=slope)
    cell = layers.TimeDistributed(layers.Dense(3, activation=slope))
    assert not has_activation_weights(dense)  # before it is built
    slope.build((None, 3))
    assert has_activation_weights(dense)
    assert has_activation_weights(cell)
    assert not has_activation_weights(layers.Dense(3, activation=layers.LeakyReLU()))
    assert not has_activation_weights(layers.Dense(3, activation="relu"))
    assert not has_activation_weights(slope)


def test_what_keras_makes_no_configuration_of_is_named():
    half = functools.partial(keras.activations.leaky_relu, negative_slope=0.5)
    dense = layers.Dense(3, activation=half, name="it")
    with pytest.raises(NotCopied, match=r"The layer 'it' \(Dense\) cannot be copied: Cannot serialize"):
        config_of(dense)
    with pytest.raises(NotCopied, match=r"The layer 'it' \(Dense\) of 'net' cannot be copied: Cannot serial"):
        copied(dense, "net")


class Doubled:
    """An activation that is an object, and that Keras can save."""

    def __call__(self, x):
        return x * 2

    def get_config(self):
        return {}


def tripled(x):
    return x * 3


def test_activations_of_any_kind_go_over_as_they_are():
    for function in (Doubled(), tripled, tf.nn.silu):
        assert config_of(layers.Dense(3, activation=function))["activation"] is function
