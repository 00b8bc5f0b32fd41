"""Taps that no shortcut goes around, held against cutting each one out of the model."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_kd.paths import layers_by_path
from keras_kd.signals.listing import trace_taps
from keras_kd.signals.pairing.articulation_points import articulation_taps
from keras_kd.signals.recording import record
from tests.selection import rest_slow
from tests.signals.pairing.networks import resnet, transformer


def decides_the_output(model, layer, x):
    """Whether the output is the same for other inputs once the layer's output is: by running the model."""
    with record([layer]) as recording:
        expected = np.asarray(model(x))
    (call,) = recording.of(layer)
    kept = layer.call
    layer.call = lambda *args, **kwargs: call.outputs
    try:
        return np.allclose(model(x[::-1]), expected, atol=1e-6)
    finally:
        layer.call = kept


@pytest.mark.parametrize(
    "make", rest_slow({"maps": lambda: resnet(1, size=8), "tokens": lambda: transformer(1)}, "tokens")
)
def test_an_articulation_point_alone_decides_the_output(make):
    model = make()
    by_path = layers_by_path(model)
    traced = trace_taps(model, by_path)
    shape = (2, *model.inputs[0].shape[1:])
    random = np.random.default_rng(0)
    x = random.random(shape) if "float" in model.inputs[0].dtype else random.integers(1, 20, shape)
    named = [tap for tap in traced.taps if by_path[tap].weights or "add" in tap or "relu" in tap]
    found = articulation_taps(traced)
    expected = [tap for tap in named if "/" not in tap and decides_the_output(model, by_path[tap], x)]
    assert expected
    assert [tap for tap in named if "/" not in tap and tap in found] == expected


def test_a_tap_is_resumed_where_a_shortcut_at_the_same_size_follows():
    found = articulation_taps(trace_taps(resnet(2), layers_by_path(resnet(2))))
    assert [found[tap] for tap in ("s1b1_out", "s1b2_out", "s2b1_out", "s2b2_out")] == [
        True,
        False,
        True,
        False,
    ]


def test_a_layer_beside_the_way_to_the_output_is_no_articulation_point():
    inputs = keras.Input((4,))
    hidden = layers.Dense(4, name="hidden")(inputs)
    gate = layers.Dense(4, "sigmoid", name="gate")(hidden)
    model = keras.Model(inputs, layers.Multiply(name="gated")([hidden, gate]))
    assert list(articulation_taps(trace_taps(model, layers_by_path(model)))) == ["hidden", "gated"]
