"""What a model returns, before any conversion: what no file can return is one early sentence."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_kd.deployment import tflite
from keras_kd.deployment.interface import Interface
from keras_kd.deployment.source.keras_outputs import keras_outputs, outputs_of_one
from keras_kd.deployment.source.serving import make_serving
from keras_kd.deployment.tflite import export
from tests.deployment import small

layers = keras.layers


class Returning(keras.Model):
    """A model that tells nothing of itself, and returns what a function makes of its input."""

    def __init__(self, function):
        super().__init__(name="odd")
        self.function = function

    def call(self, x):
        return self.function(x)


def odd(function, shape=(16, 4)):
    model = Returning(function)
    model.build((None, *shape))
    return model


def lookup(layer, shape=(3,), dtype="int64"):
    inputs = keras.Input(shape, dtype=dtype, name="words")
    return keras.Model(inputs, layer(inputs), name="lookup")


WORDS = ["a", "b"]
UNUSABLE = {
    "scalar": (odd(tf.reduce_sum), r"Output 'output_0' of 'odd' has no batch axis: .* its shape is \(\)"),
    "reduced": (odd(lambda x: tf.reduce_sum(x, 0)), r"no batch axis: for 1 sample its shape is \(16, 4\)"),
    # As many steps as samples are compared: one sample alone tells the two apart.
    "time_major": (odd(lambda x: tf.transpose(x, [1, 0, 2])), r"its shape is \(16, 1, 4\)\. Return arrays"),
    "one_step": (
        odd(lambda x: tf.transpose(x, [1, 0, 2]), (1, 4)),
        r"for 16 samples its shape is \(1, 16, 4\)",
    ),
    "constant": (odd(lambda x: (x, tf.ones(7))), r"Output 'output_1' .* its shape is \(7,\)"),
    "nothing": (
        odd(lambda x: {"a": x, "b": None}),
        "Output 'b' of 'odd' is NoneType, and a file returns arrays",
    ),
    "no_outputs": (odd(lambda x: []), "'odd' returns nothing: there is nothing to predict"),
    "sparse": (
        odd(lambda x: (x, tf.sparse.from_dense(x))),
        r"Output 'output_1' of 'odd' is sparse, and a file .* return tf\.sparse\.to_dense\(x\)",
    ),
    "ragged": (
        odd(lambda x: tf.RaggedTensor.from_tensor(x)),
        r"Output 'output_0' of 'odd' is ragged, and a file .* return x\.to_tensor\(\)",
    ),
    "text": (odd(tf.strings.as_string), "Output 'output_0' of 'odd' is text, and a file returns numbers"),
    "words_out": (
        lookup(layers.StringLookup(vocabulary=WORDS, invert=True)),
        "Output 'output_0' of 'lookup' is text, .*leave the lookup out",
    ),
    "words_in": (
        lookup(layers.StringLookup(vocabulary=WORDS), dtype="string"),
        "Input 'words' of 'lookup' takes strings, .*leave the lookup out",
    ),
    "sentences_in": (
        lookup(layers.TextVectorization(vocabulary=WORDS), (1,), "string"),
        "Input 'words' of 'lookup' takes strings",
    ),
}


@pytest.mark.parametrize(("model", "message"), UNUSABLE.values(), ids=UNUSABLE)
def test_what_a_file_cannot_take_or_return_is_told_before_any_conversion(
    model, message, tmp_path, monkeypatch
):
    monkeypatch.setattr(tflite.converter, "convert", None)
    with pytest.raises(ValueError, match=message):
        export(model, tmp_path / "m.tflite")
    assert list(tmp_path.iterdir()) == []


def test_the_reference_is_computed_in_large_batches():
    sizes = []

    class Counting(layers.Layer):
        def call(self, x):
            sizes.append(x.shape[0])
            return x

    model = keras.Sequential([keras.Input((4,)), layers.Dense(2), Counting()])
    sizes.clear()
    served, x = make_serving(model, batch_size=1), np.ones((16, 4), "float32")
    np.testing.assert_allclose(
        keras_outputs(served, {"input_0": x})["output_0"], model.layers[0](x), atol=1e-6
    )
    assert sizes == [16]


def test_models_whose_code_needs_a_batch_of_one(tmp_path):
    model = odd(lambda x: tf.reshape(x, (1, 64)), (16, 4))
    assert export(model, tmp_path / "m.tflite").max_error == 0


def test_models_of_a_fixed_batch_get_full_batches():
    inputs = keras.Input(batch_shape=(4, 2), name="x")
    served = make_serving(keras.Model(inputs, inputs * 2))
    x = np.arange(10, dtype="float32").reshape(5, 2)
    np.testing.assert_array_equal(keras_outputs(served, {"x": x})["output_0"], x * 2)
    assert outputs_of_one(served, {"x": x}).shape == (4, 2)


def test_outputs_of_one_sample_have_the_structure_that_keras_returns():
    served = make_serving(small.dicts())
    outputs = outputs_of_one(served, served.random_inputs(3))
    names = {"alpha": "alpha", "z": "z"}
    assert served.interface(outputs) == Interface(
        {"left": "left", "right": "right"}, names, {"left": "left", "right": "right"}
    )
