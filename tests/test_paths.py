"""Layers by their paths, in models of every kind."""

import keras

from keras_kd.paths import layers_by_path


class Block(keras.layers.Layer):
    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(3)

    def call(self, x):
        return self.dense(x)


class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.entry = keras.layers.Dense(4, name="not_this_name")
        self.blocks = [Block(), Block()]
        self._hidden = keras.layers.Dense(2, name="own")
        self._other = keras.layers.Dense(2, name="own")

    def call(self, x):
        return x


class Standing(keras.layers.Layer):
    """Runs a model, and gives it its name."""

    def __init__(self, model, name):
        super().__init__(name=name)
        self.tapped_model = model

    def call(self, x):
        return self.tapped_model(x)


def test_a_layer_may_stand_for_a_model():
    inner = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, name="d")], name="inner")
    outer = keras.Sequential([keras.Input((4,)), Standing(inner, "a")])
    found = layers_by_path(outer)
    assert list(found) == ["a", "a/d"]
    assert found["a"] is inner


def functional():
    inputs = keras.Input((4,))
    body = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="hidden")], name="body")
    return keras.Model(inputs, keras.layers.Dense(2, name="head")(body(inputs)))


def test_layers_of_functional_and_nested_models_are_found_by_name_without_inputs():
    model = functional()
    found = layers_by_path(model)
    assert list(found) == ["body", "body/hidden", "head"]
    assert found["body/hidden"] is model.get_layer("body").get_layer("hidden")


def test_layers_of_subclassed_models_are_found_by_attribute_and_private_ones_by_name():
    model = Net()
    found = layers_by_path(model)
    assert set(found) == {
        "entry",
        "blocks/0",
        "blocks/0/dense",
        "blocks/1",
        "blocks/1/dense",
        "own",
        "own_1",
    }
    assert found["blocks/1/dense"] is model.blocks[1].dense
    assert (found["own"], found["own_1"]) == (model._hidden, model._other)


def test_a_layer_that_is_wrapped_by_a_layer_of_Keras_is_found_inside():
    inputs = keras.Input((3, 4))
    wrapper = keras.layers.TimeDistributed(keras.layers.Dense(2), name="each")
    assert list(layers_by_path(keras.Model(inputs, wrapper(inputs)))) == ["each", "each/layer"]
