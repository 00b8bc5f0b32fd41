import keras
import pytest
import tensorflow as tf

import keras_kd as kd
from keras_kd.signals.tracing import input_spec, output_activation, tap_shapes, trace_taps
from tests.signals.models import NAMES, Subclassed, nested, shared


@pytest.mark.parametrize(("make", "names"), NAMES.values(), ids=NAMES)
def test_tap_names(make, names):
    model = make()
    assert sorted(kd.tap_names(model)) == sorted(names)
    if getattr(model, "inputs", None):
        assert kd.tap_names(model) == names


def test_shapes_come_without_running():
    assert tap_shapes(nested()) == {
        "backbone/first": (None, 3),
        "backbone/second": (None, 2),
        "backbone": (None, 2),
        "head": (None, 5),
    }


def test_layers_inside_a_loop_are_not_listed():
    inputs = keras.Input((5, 4))
    model = keras.Model(inputs, keras.layers.RNN(keras.layers.LSTMCell(2, name="cell"), name="rnn")(inputs))
    assert kd.tap_names(model) == ["rnn"]


@pytest.mark.parametrize("activation", ["softmax", "sigmoid", None])
def test_output_activation(activation):
    inputs = keras.Input((4,))
    x = keras.layers.Dense(2, activation=activation)(inputs)
    assert output_activation(keras.Model(inputs, x)) == activation
    assert output_activation(keras.Model(inputs, keras.layers.Reshape((1, 2))(x))) == activation


def test_output_activation_that_the_graph_does_not_show():
    inputs = keras.Input((4,))
    x = keras.ops.clip(keras.layers.Dense(3, activation="softmax")(inputs), 1e-6, 1.0)
    assert output_activation(keras.Model(inputs, x)) == "softmax"
    assert output_activation(keras.Model(inputs, keras.layers.ReLU()(keras.layers.Dense(3)(inputs)))) is None


def test_one_trace_holds_every_call_and_is_of_one_graph():
    model = shared()
    layer = model.get_layer("twice")
    traced = trace_taps(model, {"twice": layer})
    assert list(traced.taps) == ["twice:0", "twice:1"]
    assert traced.outputs.graph is traced.taps["twice:1"].graph is traced.inputs.graph
    assert len(traced.outputs.graph.get_operations()) > 4  # it outlives the trace


def test_specs_of_inputs_have_the_structure_of_the_inputs():
    inputs = {"a": keras.Input((2,), name="a"), "b": keras.Input((3,), dtype="int32", name="b")}
    model = keras.Model(inputs, keras.layers.Dense(2)(inputs["a"]))
    found = input_spec(model)
    assert found == {"a": tf.TensorSpec((None, 2), "float32"), "b": tf.TensorSpec((None, 3), "int32")}
    assert input_spec(Subclassed()) is None
