"""Private names of tf_keras, and of both libraries at once, behind plain ones in `keras_kd/legacy.py`."""

import keras
import pytest
import tf_keras

from keras_kd import legacy

LIBRARIES = pytest.mark.parametrize("library", [keras, tf_keras], ids=["keras", "tf_keras"])


def functional(library):
    a, b = library.Input((4,), name="a"), library.Input((4,), name="b")
    outputs = library.layers.Dense(2, name="head")(library.layers.Add(name="sum")([a, b]))
    return library.Model({"a": a, "b": b}, [outputs, outputs])


@LIBRARIES
def test_layers_and_their_own_variables_are_found(library):
    model = functional(library)
    assert {"sum", "head"} < {layer.name for layer in legacy.all_layers_of(model)}
    head = model.get_layer("head")
    assert head in legacy.child_layers_of(model)
    assert [tuple(v.shape) for v in legacy.own_variables_of(head)] == [(4, 2), (2,)]
    norm = library.layers.BatchNormalization()
    norm.build((None, 4))
    assert len(legacy.own_variables_of(norm)) == 4
    assert legacy.own_variables_of(norm)[0] is norm.gamma


@LIBRARIES
def test_calls_of_a_layer_are_its_nodes(library):
    shared, inputs = library.layers.Dense(4), library.Input((4,))
    shared(shared(inputs))
    assert len(legacy.calls_of_layer(shared)) == 2


def test_the_graph_of_tf_keras_goes_from_inputs_to_outputs():
    model = functional(tf_keras)
    assert [node.layer.name for node in legacy.graph_nodes(model)] == ["sum", "head"]
    assert legacy.is_wired(model)
    assert not legacy.is_wired(tf_keras.Sequential([tf_keras.layers.Dense(2)]))
    assert sorted(legacy.nested_inputs(model)) == ["a", "b"]
    outputs = legacy.nested_outputs(model)
    assert [legacy.maker_of_tensor(output).name for output in outputs] == ["head", "head"]
    assert legacy.maker_of_tensor(3.0) is None


@LIBRARIES
def test_a_policy_is_set_after_a_model_was_made(library):
    model = functional(library)
    legacy.set_policy(model, "mixed_float16")
    assert model.dtype_policy.name == "mixed_float16"


def test_constants_of_a_recurrent_layer_are_seen():
    x, constant = tf_keras.Input((5, 3)), tf_keras.Input((2,))

    class Cell(tf_keras.layers.SimpleRNNCell):
        def call(self, inputs, states, constants=None, training=None):
            return super().call(inputs, states)

    plain, given = (tf_keras.layers.RNN(Cell(2)) for _ in range(2))
    plain(x)
    given(x, constants=[constant])
    assert not legacy.takes_constants(plain)
    assert legacy.takes_constants(given)


def test_a_held_variable_is_a_weight_of_the_layer():
    layer = tf_keras.layers.Layer()
    legacy.hold_variable(layer, keras.Variable([1.0]))
    legacy.hold_variable(layer, keras.Variable([2.0], trainable=False))
    assert [weight.numpy().tolist() for weight in layer.trainable_weights] == [[1]]
    assert [weight.numpy().tolist() for weight in layer.non_trainable_weights] == [[2]]


@LIBRARIES
def test_classes_that_no_library_exports_are_found(library):
    assert isinstance(functional(library), legacy.functional_class(library))
    assert not isinstance(library.layers.Dense(2), legacy.functional_class(library))
    scale = legacy.application_class(library, "convnext", "LayerScale")
    assert issubclass(scale, library.layers.Layer)
    assert legacy.application_class(library, "convnext", "None") is None
    assert legacy.application_class(library, "nothing", "LayerScale") is None


@LIBRARIES
def test_arguments_that_a_layer_keeps_for_itself_are_read(library):
    def split(text):
        return text

    text = library.layers.TextVectorization(split=split, standardize="lower")
    assert legacy.hidden_argument(text, "split") is split
    assert legacy.hidden_argument(text, "standardize") == "lower"
    assert legacy.hidden_argument(text, "lookup_layer").get_vocabulary() == text.get_vocabulary()
    shaped = library.layers.Lambda(lambda x: x, output_shape=(4,))
    assert legacy.hidden_argument(shaped, "output_shape") == (4,)
