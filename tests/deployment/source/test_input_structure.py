"""Inputs of a model: their structure, names that reach the file, and models that do not tell."""

import keras
import numpy as np
import pytest

from keras_kd.deployment.source.input_structure import flatten_like, input_structure
from keras_kd.deployment.source.serving import make_serving
from keras_kd.deployment.tflite import export
from tests.deployment import small


def test_structures_of_every_kind_of_model():
    assert isinstance(input_structure(small.dense()), keras.KerasTensor)
    assert sorted(input_structure(small.dicts())) == ["left", "right"]
    assert [tensor.name for tensor in input_structure(small.lists())] == ["zebra", "ant"]
    spec = input_structure(small.subclassed())
    assert (spec.shape, spec.dtype) == ((None, 4), "float32")


def test_data_is_flattened_like_the_inputs():
    assert flatten_like([1, 2], (3, 4)) == [3, 4]
    assert flatten_like({"a": 1, "b": (2,)}, {"b": [5], "a": 4}) == [4, 5]
    assert flatten_like([1, 2], [3]) is None
    assert flatten_like({"a": 1}, [3]) is None


def test_subclassed_models_with_integer_inputs(tmp_path):
    class Words(keras.Model):
        def __init__(self):
            super().__init__(name="words")
            self.embedding = keras.layers.Embedding(9, 4)

        def call(self, x):
            return keras.ops.mean(self.embedding(x["my ids"]), axis=1)

    model = Words()
    model({"my ids": np.zeros((2, 3), "int32")})
    spec = {"my ids": keras.InputSpec(shape=(None, 3), dtype="int32")}
    exported = export(model, tmp_path / "m.tflite", inputs=spec)
    assert [(tensor.name, tensor.dtype) for tensor in exported.inputs] == [("my_ids", "int32")]
    assert make_serving(model).inputs[0].dtype == "float32"


def test_subclassed_models_with_several_inputs():
    class Pair(keras.Model):
        def __init__(self):
            super().__init__(name="pair")
            self.dense = keras.layers.Dense(2)

        def call(self, x):
            return self.dense(x[0]) - self.dense(x[1])

    model = Pair()
    x = [np.ones((3, 4), "float32"), np.zeros((3, 4), "float32")]
    wanted, served = model(x), make_serving(model)
    assert [tensor.name for tensor in served.inputs] == ["input_0", "input_1"]
    np.testing.assert_allclose(served.predict(served.arrays(x))["output_0"], wanted, atol=1e-6)


def test_models_whose_inputs_are_not_known(tmp_path):
    with pytest.raises(ValueError, match="'subclassed' has not been built: call it once on a batch"):
        export(small.Subclassed(), tmp_path / "m.tflite")
    with pytest.raises(ValueError, match="has not been built"):
        export(keras.Sequential([keras.layers.Dense(2)]), tmp_path / "m.tflite")

    class Two(keras.Model):
        def call(self, x, y):
            return x + y

    two = Two(name="two")
    two(np.ones((2, 3)), np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"'two' cannot be run on samples of shape .*'y'"):
        export(two, tmp_path / "m.tflite")

    class TwoShapes(keras.Model):
        def build(self, a_shape, b_shape):
            pass

        def call(self, a, b):
            return a + b

    shapes = TwoShapes(name="shapes")
    shapes(np.ones((2, 3)), np.ones((2, 3)))
    with pytest.raises(
        ValueError, match=r"inputs of 'shapes' \(it takes \['a_shape', 'b_shape'\]\): give call\(\)"
    ):
        export(shapes, tmp_path / "m.tflite")
    inputs = {"a b": keras.InputSpec(shape=(None, 2)), "a/b": keras.InputSpec(shape=(None, 2))}
    with pytest.raises(ValueError, match="need distinct names; received"):
        export(two, tmp_path / "m.tflite", inputs=inputs)
    strings = keras.Sequential(
        [keras.Input((1,), dtype="string", name="word"), keras.layers.StringLookup(vocabulary=["a"])]
    )
    with pytest.raises(ValueError, match=r"Input 'word' .* takes strings, and a file takes numbers"):
        export(strings, tmp_path / "m.tflite")
    assert list(tmp_path.iterdir()) == []
