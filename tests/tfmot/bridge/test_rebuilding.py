"""How a model is rebuilt: names that tf_keras does not accept, policies of models."""

import re

import keras
import pytest
import tf_keras

import keras_kd as kd
from keras_kd.tfmot.bridge.directions import direction_from_tf_keras, direction_to_tf_keras
from keras_kd.tfmot.bridge.rebuilding import Rebuilding, is_wired_model
from tests.tfmot.bridge.models import Scale, Subclassed

L = keras.layers


@pytest.mark.parametrize("name", ["_a", "a:0", "a b", "ü", "-x"])
def test_names_that_tf_keras_does_not_accept_are_refused(name, monkeypatch):
    monkeypatch.setattr(tf_keras, "Input", None)  # so that building would fail
    inner = keras.Sequential([keras.Input((4,)), L.Dense(2, name=name)], name="inner")
    with pytest.raises(
        ValueError, match=re.escape(f"inner/{name} (Dense): tf_keras does not accept this name")
    ):
        kd.tfmot.to_tf_keras(keras.Sequential([keras.Input((4,)), inner]))


@pytest.mark.parametrize("own", ["float32", "mixed_float16"])
@pytest.mark.parametrize("around", ["float32", "mixed_float16"])
def test_a_model_keeps_its_own_policy_whatever_the_global_ones_are(own, around):
    before = keras.config.dtype_policy(), tf_keras.mixed_precision.global_policy()
    try:
        keras.config.set_dtype_policy(own)
        inputs = keras.Input((4,))
        inner = keras.Sequential([inputs, L.Dense(2, dtype="float32")], name="inner")
        model = keras.Model(inputs, inner(inputs))
        keras.config.set_dtype_policy(around)
        tf_keras.mixed_precision.set_global_policy(around)
        over = kd.tfmot.to_tf_keras(model)
        back = kd.tfmot.from_tf_keras(over)
    finally:
        keras.config.set_dtype_policy(before[0])
        tf_keras.mixed_precision.set_global_policy(before[1])
    for each in (over, back):
        assert [each.dtype_policy.name, each.get_layer("inner").dtype_policy.name] == [own, own]


def test_a_shared_layer_has_one_counterpart_and_a_problem_does_not_stop_the_others():
    plan = Rebuilding(direction_to_tf_keras(), {})
    dense, own = L.Dense(2, name="head"), Scale(name="own")
    dense.build((None, 3))
    own.build((None, 3))
    assert plan.plan(dense, "head") is plan.plan(dense, "again/head")
    plan.plan(own, "block/own")
    assert [problem.partition(":")[0] for problem in plan.problems] == ["block/own (Scale)"]
    assert plan.plan(dense, "head").build() is plan.plan(dense, "head").build()


def test_only_functional_and_sequential_models_are_wired():
    class Override(keras.Sequential):
        def call(self, inputs):
            return inputs

    for library, direction in ((keras, direction_to_tf_keras()), (tf_keras, direction_from_tf_keras())):
        inputs = library.Input((2,))
        assert is_wired_model(library.Model(inputs, inputs), direction)
        assert is_wired_model(library.Sequential([inputs]), direction)
        assert not is_wired_model(library.layers.Dense(2), direction)
    assert not is_wired_model(Subclassed(), direction_to_tf_keras())
    assert not is_wired_model(Override([keras.Input((2,))]), direction_to_tf_keras())
