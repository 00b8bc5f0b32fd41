"""Copies of models whose variables are shared: they compute alike, and changing them changes no original."""

import keras
import numpy as np
import pytest
import tf_keras

from keras_kd.graphs import shared_copy
from keras_kd.keras_internals import all_layers
from keras_kd.legacy import all_layers_of, set_policy

layers = keras.layers


def functional(policy):
    image = keras.Input((6, 6, 2), dtype="float32")
    shared = layers.Conv2D(2, 3, padding="same", dtype=policy)
    x = layers.BatchNormalization(dtype=policy)(shared(shared(image)))
    inner_input = keras.Input((6, 6, 2), dtype="float32")
    inner = keras.Model(inner_input, layers.Conv2D(2, 1, dtype=policy)(inner_input) * 2.0)
    x = layers.Add(dtype=policy)([inner(x), x])
    x = layers.Flatten(dtype=policy)(layers.Lambda(lambda t: t + 1, dtype=policy)(x))
    return keras.Model(image, [layers.Dense(3, dtype=policy)(x), layers.Dense(1, dtype="float32")(x)])


def sequential(policy):
    stack = [layers.Dense(5, "gelu", dtype=policy), layers.LayerNormalization(dtype=policy)]
    stack = [keras.Input((6,)), *stack, layers.Dropout(0.5, dtype=policy), layers.Dense(2, dtype=policy)]
    return keras.Sequential(stack)


def recurrent(policy):
    stack = [layers.Bidirectional(layers.LSTM(3, return_sequences=True, dtype=policy), dtype=policy)]
    stack += [layers.TimeDistributed(layers.Dense(4, dtype=policy), dtype=policy)]
    stack += [layers.GRU(2, dtype=policy)]
    return keras.Sequential([keras.Input((4, 6)), *stack])


class Subclassed(keras.Model):
    """Holds layers in every way: attributes, containers, a bound method, a closure."""

    def __init__(self, policy):
        super().__init__(dtype=policy)
        self.blocks = [layers.Dense(4, dtype=policy), (layers.Dense(5, dtype=policy),)]
        self.heads = {"a": layers.Dense(2, dtype=policy)}
        attention = layers.MultiHeadAttention(2, 2, dtype=policy)
        self.attention = attention
        self.mixed = lambda x: attention(x, x)
        self.first = self.apply_first

    def apply_first(self, x):
        return self.blocks[1][0](self.blocks[0](x))

    def call(self, x):
        self.last = self.mixed(self.first(x))
        return self.heads["a"](self.last)


def subclassed(policy):
    model = Subclassed(policy)
    model(np.zeros((1, 3, 6), "float32"))
    return model


BUILDS = {
    functional: (4, 6, 6, 2),
    sequential: (4, 6),
    recurrent: (4, 4, 6),
    subclassed: (4, 3, 6),
}


def outputs(model, x):
    return [np.asarray(value, "float32") for value in keras.tree.flatten(model(x, training=False))]


@pytest.mark.parametrize(("build", "shape"), BUILDS.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_a_copy_in_float32_computes_as_a_model_made_in_float32(build, shape):
    x = np.random.default_rng(0).normal(size=shape).astype("float32")
    half, whole = build("mixed_float16"), build("float32")
    whole.set_weights(half.get_weights())
    before = outputs(half, x)
    copy = shared_copy(half)
    for layer in all_layers(copy):
        layer.dtype_policy = "float32"
    for one, other in zip(outputs(copy, x), outputs(whole, x), strict=True):
        np.testing.assert_array_equal(one, other)
    # And the original as before, in half precision.
    for one, other in zip(outputs(half, x), before, strict=True):
        np.testing.assert_array_equal(one, other)
    differences = [np.abs(one - other).max() for one, other in zip(before, outputs(whole, x), strict=True)]
    assert max(differences) > 0


@pytest.mark.parametrize("build", BUILDS, ids=lambda build: build.__name__)
def test_variables_are_shared_and_layers_are_not(build):
    model = build("float32")
    copy = shared_copy(model)
    assert [id(variable) for variable in copy.variables] == [id(variable) for variable in model.variables]
    pairs = list(zip(all_layers(model), all_layers(copy), strict=True))
    assert all(one is not other and type(one) is type(other) for one, other in pairs)
    assert [one.path for one, _ in pairs] == [other.path for _, other in pairs]


def test_models_of_tf_keras():
    old = tf_keras.layers

    class Model(tf_keras.Model):
        def __init__(self, policy):
            super().__init__()
            image = tf_keras.Input((6, 6, 1))
            x = old.BatchNormalization(dtype=policy)(old.Conv2D(2, 3, dtype=policy)(image))
            self.stem = tf_keras.Model(image, old.GlobalAveragePooling2D(dtype=policy)(x))
            self.blocks = [old.Dense(4, dtype=policy), old.Dense(4, dtype=policy)]
            self.heads = {"a": (old.Dense(2, dtype=policy),)}

        def call(self, x):
            x = self.stem(x)
            for block in self.blocks:
                x = block(x)
            return self.heads["a"][0](x)

    x = np.random.default_rng(0).normal(size=(4, 6, 6, 1)).astype("float32")
    half, whole = Model("mixed_float16"), Model("float32")
    before = half(x)
    whole(x)
    whole.set_weights(half.get_weights())
    copy = shared_copy(half)
    for layer in all_layers_of(copy):
        set_policy(layer, "float32")
    np.testing.assert_array_equal(copy(x), whole(x))
    np.testing.assert_array_equal(half(x), before)
    assert before.dtype == "float16"


def test_a_deep_model_is_copied_without_recursion():
    x = inputs = keras.Input((2,))
    activation = layers.ReLU()
    for _ in range(400):
        x = activation(x)
    copy = shared_copy(keras.Model(inputs, x))
    assert float(copy(np.full((1, 2), 3.0))[0, 0]) == 3.0
