"""Objects of tf_keras and of tensorflow-model-optimization are told apart from those of Keras 3."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from keras_kd import legacy

DENSE, OLD = keras.layers.Dense(3), tf_keras.layers.Dense(3)


@pytest.fixture(scope="module")
def nested():
    inside = tf_keras.Sequential([tf_keras.Input((4,)), tf_keras.layers.BatchNormalization(name="norm")])
    return tf_keras.Sequential([tf_keras.Input((4,)), inside, tf_keras.layers.Dense(2, name="head")])


@pytest.fixture(scope="module")
def wrapper():
    import keras_kd as kd

    model = tf_keras.Sequential([tf_keras.Input((4,)), tf_keras.layers.Dense(2, name="inner")])
    return kd.tfmot.prune_low_magnitude(model).layers[-1]


@pytest.mark.parametrize(
    ("value", "layer", "model", "old"),
    [
        (DENSE, True, False, False),
        (OLD, True, False, True),
        (keras.Sequential(), True, True, False),
        (tf_keras.Sequential(), True, True, True),
        (np.ones(3), False, False, False),
        (keras.layers.Dense, False, False, False),
    ],
)
def test_layers_and_models_of_either_Keras(value, layer, model, old):
    assert (legacy.is_layer(value), legacy.is_model(value), legacy.is_tf_keras(value)) == (layer, model, old)


class Mine(tf_keras.losses.MeanSquaredError):
    pass


@pytest.mark.parametrize(
    ("value", "library", "expected"),
    [
        (Mine, "tf_keras", True),
        (Mine(), "tf_keras", True),
        (Mine(), "keras", False),
        (keras.losses.mean_squared_error, "keras", True),
        (tf_keras.losses.mean_squared_error, "keras", False),
        (3, "keras", False),
    ],
)
def test_the_library_of_classes_objects_and_functions(value, library, expected):
    assert legacy.comes_from(value, library) is expected


def test_weights_are_variables_and_the_tensors_that_tfmot_puts_in_their_place():
    assert all(map(legacy.is_weight, (keras.Variable(1.0), tf.Variable(1.0), tf.constant(1.0))))
    assert not legacy.is_weight(np.ones(3))


def test_wrappers_of_tfmot_are_taken_off(wrapper):
    assert legacy.is_wrapper(wrapper)
    assert legacy.unwrapped(wrapper).name == "inner"
    assert legacy.unwrapped(DENSE) is DENSE
    assert not legacy.is_wrapper(keras.layers.TimeDistributed(DENSE))  # whose `layer` is its own affair


def test_layers_inside_of_models_of_either_Keras(nested):
    inside, head = nested.layers
    assert legacy.child_layers_of(nested)[-2:] == [inside, head]
    assert legacy.all_layers_of(nested)[0] is nested
    norm = inside.get_layer("norm")
    assert norm in legacy.all_layers_of(nested)
    assert norm not in legacy.child_layers_of(nested)
    model = keras.Sequential([keras.Input((2,)), DENSE])
    assert DENSE in legacy.child_layers_of(model)
    assert {model, DENSE} <= set(legacy.all_layers_of(model))


def test_own_untrainable_weights_stay_those_when_a_layer_is_frozen(nested):
    norm = nested.layers[0].get_layer("norm")
    norm.trainable = False
    assert [w.name.split("/")[-1] for w in legacy.own_untrainable_weights(norm)] == [
        "moving_mean:0",
        "moving_variance:0",
    ]


def test_control_flow_of_tf_keras_is_converted_inside_of_a_step_of_Keras_3(nested):
    from tensorflow.python.autograph.core import ag_ctx

    with ag_ctx.ControlStatusCtx(status=ag_ctx.Status.DISABLED):
        with legacy.as_tf_keras_runs(nested):
            assert ag_ctx.control_status_ctx().status == ag_ctx.Status.UNSPECIFIED
        with legacy.as_tf_keras_runs(keras.Sequential()):
            assert ag_ctx.control_status_ctx().status == ag_ctx.Status.DISABLED


def test_a_model_of_tf_keras_is_refused_with_the_way_to_use_it(nested):
    legacy.require_keras_model(keras.Sequential(), "teacher")
    with pytest.raises(TypeError, match=r"teacher must be a keras\.Model.*tf_keras.*from_tf_keras"):
        legacy.require_keras_model(nested, "teacher")
    with pytest.raises(TypeError, match=r"student must be a keras\.Model\. Received: builtins\.int\.$"):
        legacy.require_keras_model(3, "student")


def test_calls_in_a_graph_are_recognized(nested):
    assert all(legacy.is_call_node(node) for node in legacy.graph_nodes(nested))
    assert not legacy.is_call_node(DENSE)
