import keras
import pytest
import tensorflow as tf

from keras_kd.signals.tracing import input_spec, output_activation, trace_activations
from tests.signals.models import Subclassed


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


def test_activations_of_several_outputs():
    inputs = keras.Input((4,))
    outputs = {"a": keras.layers.Dense(3, "softmax")(inputs), "b": [keras.layers.Dense(1)(inputs)]}
    found = trace_activations(keras.Model(inputs, outputs), tf.TensorSpec((None, 4)))
    assert found == {"a": "softmax", "b/0": None}


def test_specs_of_inputs_have_the_structure_of_the_inputs():
    inputs = {"a": keras.Input((2,), name="a"), "b": keras.Input((3,), dtype="int32", name="b")}
    model = keras.Model(inputs, keras.layers.Dense(2)(inputs["a"]))
    found = input_spec(model)
    assert found == {"a": tf.TensorSpec((None, 2), "float32"), "b": tf.TensorSpec((None, 3), "int32")}
    assert input_spec(Subclassed()) is None
