"""The counterparts of layers: of those of one's own, of stock ones, and of those that have none."""

import re

import keras
import pytest
import tf_keras

import keras_kd as kd
from tests.tfmot.bridge.models import Scale, Subclassed, TfScale, assert_same, normal, randomized

L = keras.layers


@pytest.mark.parametrize(
    "stand_in", [TfScale, lambda layer: TfScale(layer.factor, name=layer.name)], ids=["class", "function"]
)
def test_own_layers_are_mapped(stand_in):
    model = keras.Sequential([keras.Input((4,)), Scale(3.0, name="own")])
    over = kd.tfmot.to_tf_keras(randomized(model), custom_layers={Scale: stand_in})
    assert type(over.get_layer("own")) is TfScale
    assert_same(model, over, normal(4))
    back = kd.tfmot.from_tf_keras(over, custom_layers={TfScale: Scale})
    assert_same(model, back, normal(4))


class OwnDense(L.Dense):
    pass


class OwnPenalty(keras.regularizers.Regularizer):
    def __call__(self, weight):
        return 0.0

    def get_config(self):
        return {}


class Cell(L.Layer):
    state_size = output_size = 4

    def call(self, inputs, states):
        return inputs, states


def test_all_that_cannot_be_bridged_is_named_at_once_before_anything_is_built(monkeypatch):
    monkeypatch.setattr(tf_keras, "Input", None)  # so that building would fail
    quantized = L.Dense(4, name="int8")
    lora = L.Dense(4, name="adapted")
    inputs = keras.Input((4,))
    x = lora(quantized(inputs))
    quantized.quantize("int8")
    lora.enable_lora(2)
    inner = keras.Sequential([keras.Input((4,)), Scale(name="scale")], name="inner")
    x = Subclassed(name="sub")(inner(x))
    x = OwnDense(4, name="own", kernel_regularizer="l2")(x)
    x = L.Dense(4, name="odd", kernel_regularizer=OwnPenalty())(x)
    model = keras.Model(inputs, L.RNN(Cell(), name="rnn")(x[:, None]), name="student")
    with pytest.raises(ValueError, match="the model 'student' cannot be rebuilt in tf_keras") as error:
        kd.tfmot.to_tf_keras(model)
    lines = str(error.value).splitlines()[1:]
    found = [re.match(r"  (\S+) \((\w+)\): (.*)", line).groups() for line in lines]
    assert [(path, kind) for path, kind, _ in found] == [
        ("int8", "Dense"),
        ("adapted", "Dense"),
        ("inner/scale", "Scale"),
        ("sub", "Subclassed"),
        ("own", "OwnDense"),
        ("odd", "Dense"),
        ("rnn/cell", "Cell"),
    ]
    reasons = [
        "quantized",
        "LoRA",
        "custom_layers={Scale: ...}",
        "subclassed",
        "OwnDense",
        "kernel_regularizer",
        "Cell",
    ]
    assert [reason for reason, (*_, said) in zip(reasons, found, strict=True) if reason not in said] == []


def test_what_tf_keras_alone_has_is_named():
    inputs = tf_keras.Input((4, 3))
    x = tf_keras.layers.LocallyConnected1D(2, 2, name="local")(inputs)
    x = tf_keras.layers.ThresholdedReLU(0.5, name="cut")(x)
    x = tf_keras.layers.Dropout(0.5, name="always")(x, training=True)
    with pytest.raises(ValueError) as error:
        kd.tfmot.from_tf_keras(
            tf_keras.Model(inputs, tf_keras.layers.LSTM(2, time_major=True, name="rnn")(x))
        )
    named = re.findall(r"^  (\S+) .*: (.*)$", str(error.value), re.MULTILINE)
    assert [path for path, _ in named] == ["local", "cut", "always", "rnn"]
    assert "time_major" in named[-1][1]


def test_a_custom_layer_that_cannot_be_made_is_named_by_its_path():
    model = keras.Sequential([keras.Input((4,)), Scale(name="own")])
    with pytest.raises(TypeError, match="expected a layer of tf_keras") as error:
        kd.tfmot.to_tf_keras(model, custom_layers={Scale: lambda layer: layer})
    assert error.value.__notes__[0] == "This was own, while it was rebuilt."
    with pytest.raises(
        ValueError, match=r"own .Scale.: custom_layers maps it to .*Dense.*, which is not a layer"
    ):
        kd.tfmot.to_tf_keras(model, custom_layers={Scale: L.Dense})
