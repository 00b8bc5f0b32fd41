"""Channels whose readers read zeros: the outputs of the model that `shrink` makes."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_kd as kd
from keras_kd.compression.selection import Selection
from keras_kd.compression.sensitivity.channels import channel_parts
from keras_kd.graphs import rebuild
from tests.graphs.topologies import TOPOLOGIES, inputs_for, outputs_of, scrambled


def normalized():
    inputs = keras.Input((6, 5))
    x = layers.Dense(8, name="wide")(inputs)
    x = layers.LayerNormalization(name="norm", center=False, scale=False)(x)
    x = layers.Dense(6, activation="relu", name="hidden")(x)
    return keras.Model(inputs, layers.Dense(3, name="head")(x))


def attentive():
    inputs = keras.Input((6, 8))
    x = layers.MultiHeadAttention(4, 4, name="attention")(inputs, inputs)
    return keras.Model(inputs, layers.Dense(3, name="head")(layers.Dense(8, name="hidden")(x)))


MODELS = {**TOPOLOGIES, "normalized": normalized, "attentive": attentive}


def outputs_after(dissected, change, x):
    if isinstance(change, keras.Model):
        return outputs_of(change, x)
    before = [(variable, np.array(variable)) for variable, _ in change]
    for variable, value in change:
        variable.assign(value)
    outputs = outputs_of(dissected.model, x)
    for variable, value in before:
        variable.assign(value)
    return outputs


@pytest.mark.parametrize("name", [name for name in MODELS if name != "named_inputs_and_outputs"])
def test_the_outputs_are_those_of_the_shrunk_model(name):
    model = scrambled(MODELS[name]())
    dissected = channel_parts(rebuild(model), Selection())
    x = inputs_for(model)
    for part in dissected.parts:
        others = [other.layer for other in dissected.parts if part.layer in other.tied]
        options = {"scope": "layer", "multiple_of": 1, "floor": 0, "skip": others}
        small = kd.shrink(model, 0.5, layers=[part.layer], **options)
        expected = outputs_of(small, x)
        received = outputs_after(dissected, part.change(0.5), x)
        for a, b in zip(expected, received, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-5 * max(np.abs(a).max(), 1), err_msg=part.layer)


def test_a_model_is_built_only_where_a_normalization_reads_what_is_removed():
    dissected = channel_parts(normalized(), Selection())
    built = {part.layer: isinstance(part.change(0.5), keras.Model) for part in dissected.parts}
    assert built == {"wide": True, "hidden": False}


def test_all_channels_are_nothing_to_change():
    assert all(part.change(1.0) == [] for part in channel_parts(normalized(), Selection()).parts)


def test_layers_that_are_tied_go_together():
    (part,) = [p for p in channel_parts(TOPOLOGIES["residual"](), Selection()).parts if p.layer == "stem"]
    assert part.tied == ("conv",)
    chosen = channel_parts(normalized(), Selection(["hid*"])).parts
    assert [part.layer for part in chosen] == ["hidden"]
    assert [part.layer for part in channel_parts(normalized(), Selection(skip=["hidden"])).parts] == ["wide"]
