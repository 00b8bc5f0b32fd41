"""Layers that stand in place of one."""

import numpy as np
import pytest
from keras import layers

from keras_kd.compression.low_rank.thin_layers import (
    Factors,
    Step,
    distributed,
    thin_layer,
    value_of,
    with_free_names,
)


def dense():
    layer = layers.Dense(4, activation="relu", name="it", dtype="bfloat16")
    layer.build((None, 3))
    layer.bias.assign([1, 2, 3, 4])
    return layer


def factors_of(layer):
    steps = (
        thin_layer(layer, np.ones((3, 2)), "_in", units=2),
        thin_layer(layer, np.ones((2, 4)), ""),
    )
    return Factors("svd", (2,), 0.1, 14, steps)


def test_the_last_one_has_the_name_the_bias_and_the_activation():
    first, last = (step.layer for step in factors_of(dense()).steps)
    assert [layer.name for layer in (first, last)] == ["it_in", "it"]
    assert [layer.use_bias for layer in (first, last)] == [False, True]
    assert [layer.activation.__name__ for layer in (first, last)] == ["linear", "relu"]
    assert factors_of(dense()).steps[1].weights[1].tolist() == [1, 2, 3, 4]
    assert factors_of(dense()).parameters == 6 + 8 + 4


def test_values_are_in_float64_whatever_they_are_stored_in():
    assert value_of(dense().kernel).dtype == "float64"


def test_what_is_distributed_over_time_stays_so():
    layer = layers.TimeDistributed(dense(), name="over_time")
    steps = distributed(layer, factors_of(layer.layer)).steps
    assert [step.layer.name for step in steps] == ["over_time_in", "over_time"]
    assert [step.layer.layer.name for step in steps] == ["it_in", "it"]


def test_new_names_that_are_taken():
    taken = {"it", "it_in", "it_in_1"}
    assert [s.layer.name for s in with_free_names(factors_of(dense()), taken).steps] == ["it_in_2", "it"]
    alone = Factors("heads", (2,), 0.1, 14, (Step(dense(), []),))
    assert with_free_names(alone, taken).steps[0].layer.name == "it"


def doubled(x):
    return x * 2


def test_activations_need_not_be_registered():
    layer = layers.Dense(4, activation=doubled, name="it")
    layer.build((None, 3))
    assert [step.layer.activation is layer.activation for step in factors_of(layer).steps] == [False, True]


@pytest.mark.parametrize(("policy", "kept"), [("bfloat16", "float32"), ("float64", "float64")])
@pytest.mark.parametrize("use_bias", [True, False])
def test_weights_wait_in_the_precision_that_is_stored(policy, kept, use_bias):
    layer = layers.Dense(4, use_bias=use_bias, dtype=policy)
    layer.build((None, 3))
    found = thin_layer(layer, np.ones((3, 4)), "").weights
    assert [weight.dtype for weight in found] == [kept] * (1 + use_bias)
