"""Arguments of a layer in terms of the other library."""

import keras
import pytest
import tensorflow as tf
import tf_keras

import keras_kd as kd
from keras_kd.tfmot.bridge.configuration import (
    init_parameters,
    is_default,
    translate_penalty,
    translate_policy,
)
from keras_kd.tfmot.bridge.directions import Unbridgeable, direction_to_tf_keras
from tests.tfmot.bridge.models import assert_same, both_ways, normal, randomized

L = keras.layers


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float16", "float64"])
def test_dtype_policies_are_kept_per_layer(policy):
    inputs = keras.Input((6, 6, 3), dtype="float64" if policy == "float64" else None)
    x = L.Conv2D(4, 3, dtype=policy, name="conv")(inputs)
    x = L.BatchNormalization(dtype=policy)(x)
    x = L.GlobalAveragePooling2D(dtype=policy)(x + x)
    model = randomized(keras.Model(inputs, L.Dense(3, dtype="float32", name="logits")(x)))
    over, back = both_ways(model, tf.cast(normal(6, 6, 3), inputs.dtype), atol=0.1)
    for each in (over, back):
        kinds = [each.get_layer(name).compute_dtype for name in ("conv", "logits")]
        assert kinds == [policy.removeprefix("mixed_"), "float32"]
        assert each.get_layer("conv").kernel.dtype == model.get_layer("conv").kernel.dtype
    assert tf_keras.mixed_precision.global_policy().name == "float32"


def test_a_lambda_keeps_its_arguments():
    inputs = keras.Input((4,))
    x = L.Lambda(lambda x, power: x**power, arguments={"power": 3}, output_shape=(4,))(inputs)
    both_ways(keras.Model(inputs, x), normal(4))


def test_an_activation_without_weights_is_refused_until_the_model_was_called():
    model = keras.Sequential([keras.Input((4,)), L.Dense(2, activation=L.PReLU(name="slope"), name="head")])
    with pytest.raises(ValueError, match=r"head .Dense.: its activation 'slope' has no weights yet: call"):
        kd.tfmot.to_tf_keras(model)
    model(normal(4))
    over = kd.tfmot.to_tf_keras(randomized(model))
    assert_same(model, over, normal(4))
    with pytest.raises(
        ValueError, match=r"head .Dense.: its activation 'slope' has weights: make it a layer"
    ):
        kd.tfmot.from_tf_keras(over)  # Keras 3 would make them at the first call alone


def test_init_parameters_are_those_of_the_class_and_of_its_parents_but_not_of_layer():
    found = init_parameters(L.DepthwiseConv2D)
    assert {"depth_multiplier", "kernel_size", "strides", "depthwise_initializer"} <= set(found)
    assert not {"self", "kwargs", "autocast", "dtype"} & set(found)


def test_an_argument_may_be_left_out_at_its_default_only():
    assert is_default("strides", (1, 1), L.Conv2D)
    assert is_default("data_format", "channels_last", L.Conv2D)
    assert is_default("anything", None, L.Conv2D)
    assert not is_default("strides", (2, 2), L.Conv2D)


def test_penalties_of_keras_are_translated_and_others_are_refused():
    config = keras.saving.serialize_keras_object(keras.constraints.MaxNorm(2.0, axis=1))
    found = translate_penalty("kernel_constraint", config, tf_keras.constraints)
    assert isinstance(found, tf_keras.constraints.MaxNorm)
    assert (found.max_value, found.axis) == (2.0, 1)
    assert translate_penalty("kernel_constraint", None, tf_keras.constraints) is None
    for own in ({**config, "registered_name": "mine>MaxNorm"}, "my_function"):
        with pytest.raises(Unbridgeable, match=r"kernel_constraint .* has no equivalent"):
            translate_penalty("kernel_constraint", own, tf_keras.constraints)


def test_policies_are_translated_by_name_and_quantized_ones_are_refused():
    direction = direction_to_tf_keras()
    assert translate_policy(L.Dense(2, dtype="mixed_float16"), direction) == "mixed_float16"
    with pytest.raises(Unbridgeable, match="it is quantized"):
        translate_policy(L.Dense(2, dtype="int8_from_float32"), direction)
