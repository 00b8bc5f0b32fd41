"""Weights, trainable flags and states of counterparts."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import keras_kd as kd
from keras_kd.tfmot.bridge.weights import copy_weight, find_states, own_weights, set_states, trainable_flag
from tests.tfmot.bridge.models import Scale

L = keras.layers


def partly_frozen(library):
    base = library.Sequential(
        [library.Input((4,)), library.layers.Dense(4, name="first"), library.layers.Dense(4, name="last")],
        name="base",
    )
    base.trainable = False
    base.layers[-1].trainable = True
    inputs = library.Input((4,))
    return library.Model(inputs, library.layers.Dense(2, name="head")(base(inputs)))


@pytest.mark.parametrize(("library", "trained"), [(keras, ["last", "head"]), (tf_keras, ["head"])])
def test_the_same_weights_are_trained_where_only_a_part_of_a_model_is_unfrozen(library, trained):
    model = partly_frozen(library)
    forth = [kd.tfmot.to_tf_keras, kd.tfmot.from_tf_keras][:: 1 if library is keras else -1]
    over = forth[0](model)
    for each in (over, forth[1](over)):
        layers = [*each.get_layer("base").layers, each.get_layer("head")]
        ids = {id(weight) for weight in each.trainable_weights}
        assert [layer.name for layer in layers if id(layer.kernel) in ids] == trained
        assert len(ids) == len(model.trainable_weights)


def test_a_layer_that_is_frozen_in_part_is_refused():
    model = keras.Sequential([keras.Input((4,)), L.Dense(2)], name="student")
    model.layers[0].kernel.trainable = False
    with pytest.raises(ValueError, match="1 weights of 'student' are trainable, but 2 would be in tf_keras"):
        kd.tfmot.to_tf_keras(model)


def test_weights_of_another_shape_are_refused():
    model = keras.Sequential([keras.Input((4,)), Scale(name="own")])
    with pytest.raises(ValueError, match=r"the weights of own \(\(4,\)\) do not fit"):
        kd.tfmot.to_tf_keras(model, custom_layers={Scale: lambda layer: tf_keras.layers.ReLU(name="own")})


@pytest.mark.parametrize("library", [keras, tf_keras], ids=["keras", "tf_keras"])
def test_own_weights_are_not_those_of_layers_inside(library):
    layers = library.layers
    norm = layers.BatchNormalization()
    model = library.Sequential([library.Input((3, 4)), layers.TimeDistributed(layers.Dense(2)), norm])
    assert own_weights(model.layers[0]) == []
    found = own_weights(norm)
    names = {weight.name.rpartition("/")[2].partition(":")[0] for weight in found}
    assert names == {"gamma", "beta", "moving_mean", "moving_variance"}


def test_what_holds_trained_weights_is_trainable_and_what_has_none_keeps_its_flag():
    dense, frozen, relu = L.Dense(2), L.Dense(2, trainable=False), L.ReLU()
    for layer in (dense, frozen):
        layer.build((None, 3))
    trained = {id(weight) for weight in dense.weights}
    assert [trainable_flag(layer, trained) for layer in (dense, frozen, relu)] == [True, False, True]


def test_copy_weight_casts_and_refuses_another_shape():
    source = keras.Variable(np.ones((2, 3)), dtype="float32")
    target = tf.Variable(tf.zeros((2, 3), "float16"))
    copy_weight(source, target, "head")
    assert target.numpy().tolist() == [[1] * 3] * 2
    with pytest.raises(
        ValueError, match=r"a weight of head has the shape \(2, 3\), .* counterpart has \(3, 2\)"
    ):
        copy_weight(source, tf.Variable(tf.zeros((3, 2))), "head")


@pytest.mark.parametrize("library", [keras, tf_keras], ids=["keras", "tf_keras"])
def test_states_of_stateful_layers_are_found_and_set(library):
    layers = [library.layers.SimpleRNN(3, stateful=True), library.layers.Dense(2)]
    shape = {"batch_shape": (2, 5, 4)} if library is keras else {"batch_input_shape": (2, 5, 4)}
    inputs = library.layers.InputLayer(**shape)
    model = library.Sequential([inputs, *layers])
    [state] = find_states(model)
    set_states([state], [np.full((2, 3), 0.5)])
    assert np.array(state).tolist() == [[0.5] * 3] * 2
