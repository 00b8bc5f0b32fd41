"""Names of inputs and outputs: the user's own, the keys of dicts, or numbers."""

import keras
import numpy as np
import pytest

from keras_kd.deployment.tensor_names import input_names, leaf_names, output_names, plain_names
from keras_kd.deployment.tflite import export
from tests.deployment import small

layers = keras.layers


def test_names_of_leaves():
    spec = keras.InputSpec(shape=(None, 2))
    assert leaf_names(spec, "input") == ["input_0"]
    assert leaf_names([spec, [spec, spec]], "input") == ["input_0", "input_1_0", "input_1_1"]
    assert leaf_names({"a": {"b": spec}}, "input") == ["a_b"]
    assert leaf_names([spec, spec], "output", ["mine", None]) == ["mine", "output_1"]
    assert leaf_names([spec, spec], "output", ["mine", "mine"]) == ["output_0", "output_1"]
    assert leaf_names([{"a": spec}, spec], "output", ["mine", "other"]) == ["output_0_a", "other"]
    assert plain_names(["a/b c", "é", "ok"]) == ["a_b_c", "input_1", "ok"]


def test_inputs_have_the_names_that_the_user_gave_them(tmp_path):
    def inputs(*names):
        return [keras.Input((2,), name=name) for name in names]

    assert input_names(inputs("zebra", "ant")) == ["zebra", "ant"]
    assert input_names(inputs("mine", None)) == ["mine", "input_1"]
    assert input_names(inputs("input_1", None)) == ["input_0", "input_1"]
    assert input_names(inputs("input_1", "input_0")) == ["input_1", "input_0"]
    assert input_names(dict(zip("ab", inputs("zebra", "ant"), strict=True))) == ["a", "b"]
    assert input_names(inputs("a b", "a.b")) == ["input_0", "input_1"]
    small.dense().save(tmp_path / "m.keras")  # which gives its input a name
    assert input_names(keras.models.load_model(tmp_path / "m.keras").inputs[0]) == ["input_0"]


def test_outputs_have_the_names_of_their_layers_if_the_user_gave_them():
    x = keras.Input((4, 3), name="x")
    hidden = layers.Dense(3, name="hidden")(x)

    def names(outputs):
        model = keras.Model(x, outputs)
        return output_names(model, model(np.ones((1, 4, 3), "float32")))

    assert names(hidden) == ["hidden"]
    assert names([hidden, layers.Dense(2)(hidden), hidden + 1]) == ["hidden", "output_1", "output_2"]
    assert names([hidden, hidden]) == ["output_0", "output_1"]
    assert names({"b": hidden, "a": x}) == ["a", "b"]
    assert names([hidden, x]) == ["hidden", "x"]
    inner = keras.Sequential([keras.Input((4, 3)), layers.Dense(2)], name="inner")
    assert names((inner(x), keras.Sequential([layers.Dense(2)])(x))) == ["inner", "output_1"]
    states = layers.LSTM(2, return_state=True, name="lstm_of_mine")(x)
    assert names(states) == ["output_0", "output_1", "output_2"]
    assert output_names(small.subclassed(), [1, 2]) == ["output_0", "output_1"]


def test_outputs_that_would_share_a_name_are_refused(tmp_path):
    inputs = keras.Input((4,))
    a, b = layers.Dense(2)(inputs), layers.Dense(3)(inputs)
    with pytest.raises(ValueError, match="both be called 'a_b'"):
        export(keras.Model(inputs, {"a": {"b": a}, "a_b": b}), tmp_path / "m.tflite")


def test_names_with_accents_become_plain(tmp_path):
    left, right = keras.Input((4,), name="é"), keras.Input((4,), name="入力")
    model = keras.Model({"é": left, "入力": right}, layers.Dense(2)(left + right))
    exported = export(model, tmp_path / "m.tflite")
    assert exported.max_error < 1e-5
    assert all(tensor.name.isascii() for tensor in exported.inputs)
