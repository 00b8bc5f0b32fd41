"""Each layer over the bridge and back: equal outputs in inference, and in training where nothing is drawn."""

import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_kd as kd
from tests.tfmot.bridge.layer_rows import NOT_A_MODEL, REFUSED, ROWS

# In training these normalize other sets of values than in Keras 3: all steps of a batch at once.
TRAINED_APART = ["TimeDistributed norm"]

# Loops over time take tf_keras long to trace; LSTM stands for them in the fast tests.
LOOPS = ("Bidirectional", "ConvLSTM", "GRU", "LSTM odd", "LSTMCell", "RNN", "SimpleRNN", "StackedRNN")
CASES = [pytest.param(name, marks=[pytest.mark.slow] if name.startswith(LOOPS) else []) for name in ROWS]


def single(structure):
    return structure[0] if len(structure) == 1 else structure


def model_of(name):
    """A Keras 3 model of the layer in a row, with weights that show when two of them are swapped."""
    make, arrays = ROWS[name]
    arrays = arrays if isinstance(arrays, tuple) else (arrays,)
    dtypes = ["string" if array.dtype.kind == "U" else str(array.dtype) for array in arrays]
    inputs = [keras.Input(array.shape[1:], dtype=dtype) for array, dtype in zip(arrays, dtypes, strict=True)]
    layer = make()
    several = "query" in inspect.signature(layer.call).parameters
    model = keras.Model(single(inputs), layer(*inputs) if several else layer(single(inputs)))
    random = np.random.default_rng(0)
    if not isinstance(layer, keras.layers.Normalization):  # what was adapted is held twice
        for weight in layer.weights:
            weight.assign(random.uniform(0.2, 0.9, weight.shape))
    return model, single([tf.constant(array) for array in arrays])


def outputs(model, inputs, training=False):
    found = keras.tree.flatten(model(inputs, training=training))
    return [keras.ops.convert_to_numpy(keras.ops.convert_to_tensor(output)) for output in found]


def assert_equal(found, expected):
    for a, b in zip(found, expected, strict=True):
        assert a.shape == b.shape
        if a.dtype.kind == "f":
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-5 * max(np.abs(b).max(), 1e-3))
        else:
            np.testing.assert_array_equal(a, b)


@pytest.mark.filterwarnings("ignore:You passed `rms_scaling=True`, which is deprecated:UserWarning")
@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_a_layer_goes_over_and_comes_back(name):
    model, inputs = model_of(name)
    expected = outputs(model, inputs)
    over = kd.tfmot.to_tf_keras(model)
    assert_equal(outputs(over, inputs), expected)
    back = kd.tfmot.from_tf_keras(over)
    assert_equal(outputs(back, inputs), expected)
    names = [[layer.name for layer in each.layers] for each in (model, over, back)]
    assert names[0] == names[1] == names[2]
    assert [type(layer) for layer in back.layers] == [type(layer) for layer in model.layers]
    if not name.endswith("~") and name not in TRAINED_APART:
        expected = outputs(model, inputs, training=True)
        assert_equal(outputs(over, inputs, training=True), expected)
        assert_equal(outputs(back, inputs, training=True), expected)


def public_layers():
    found = {name: getattr(keras.layers, name) for name in dir(keras.layers)}
    return {name: layer for name, layer in found.items() if inspect.isclass(layer)}


def test_every_public_layer_has_a_row_or_a_refusal():
    named = {name.rstrip("~").split()[0] for name in [*ROWS, *REFUSED]} | NOT_A_MODEL.keys()
    kept = {public_layers()[name] for name in named}
    assert sorted(name for name, layer in public_layers().items() if layer not in kept) == []


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_layer_is_named(name):
    make, reason = REFUSED[name]
    with pytest.raises(ValueError, match=reason):
        kd.tfmot.to_tf_keras(make())


def test_equalization_is_still_in_no_model():
    inputs = keras.Input((8, 8, 3))
    with pytest.raises(ValueError, match="part of a cycle"):
        keras.Model(inputs, keras.layers.Equalization()(inputs))
