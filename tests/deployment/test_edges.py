"""The edges of files, against the interpreter's own reading."""

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from keras_kd.deployment.edges import read_edges
from tests.deployment import small


@pytest.mark.parametrize("io", ["float32", "int8", "uint8"])
def test_the_range_that_an_input_was_calibrated_for(io, small_file):
    model, exported = small_file(small.dense, "int8", io=io)
    ((name, (low, high)),) = read_edges(exported.path).ranges.items()
    x = small.data(model)
    assert name == "input_0"
    # One scale of 255 steps, which includes 0.
    assert (low, high) == pytest.approx((x.min(), x.max()), abs=float(np.ptp(x)) / 255)
    if io != "float32":
        interpreter = Interpreter(model_path=str(exported.path))
        scale, zero = interpreter.get_input_details()[0]["quantization"]
        limits = np.iinfo(io)
        assert (low, high) == pytest.approx(((limits.min - zero) * scale, (limits.max - zero) * scale))


def test_inputs_that_stay_as_they_are_have_no_range(small_file):
    for build, kind in ((small.dense, None), (small.wide, "dynamic"), (small.text, "int8")):
        assert read_edges(small_file(build, kind)[1].path).ranges == {}


def headed(*layers):
    return keras.Sequential([keras.Input((4,)), *layers], name="headed")


def sigmoid_head():
    return headed(keras.layers.Dense(1), keras.layers.Activation("sigmoid"), keras.layers.Reshape((1, 1)))


def softmax_head():
    return headed(keras.layers.Dense(3, activation="softmax"))


@pytest.mark.parametrize(
    ("build", "kind", "activation"),
    [
        (softmax_head, None, "softmax"),
        (softmax_head, "int8", "softmax"),
        (sigmoid_head, "int8", "sigmoid"),
        (small.dense, "int8", None),
        (small.dense, None, None),
    ],
)
def test_activations_behind_the_outputs(build, kind, activation, small_file):
    found = read_edges(small_file(build, kind)[1].path).activations
    assert found == ({} if activation is None else {"output_0": activation})


def test_several_outputs_by_name(small_file):
    assert read_edges(small_file(small.dicts)[1].path).activations == {}
