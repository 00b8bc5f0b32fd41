"""Random samples of models with free sizes: of the first length that the model can be run with."""

import keras
import numpy as np
import pytest

from keras_kd.deployment.benchmark import benchmark
from keras_kd.deployment.source.keras_outputs import ModelCannotRun
from keras_kd.deployment.source.random_samples import random_samples
from keras_kd.deployment.source.serving import make_serving
from keras_kd.deployment.tflite import export

layers = keras.layers


def tokens(longest):
    """Embeds tokens and their positions, for sequences of up to `longest` tokens."""

    class Positions(layers.Layer):
        def __init__(self):
            super().__init__()
            self.table = layers.Embedding(longest, 4)

        def call(self, x):
            return x + self.table(keras.ops.arange(keras.ops.shape(x)[1]))

        def compute_output_shape(self, shape):
            return shape

    ids = keras.Input((None,), dtype="int32", name="ids")
    x = Positions()(layers.Embedding(50, 4)(ids))
    return keras.Model(ids, layers.Dense(3)(layers.GlobalAveragePooling1D()(x)))


def deep(layer, count):
    """An image model that needs at least 2 ** count pixels."""
    image = keras.Input((None, None, 3))
    x = image
    for _ in range(count):
        x = layer()(x)
    return keras.Model(image, layers.GlobalAveragePooling2D()(x), name="deep")


def strided():
    return layers.Conv2D(3, 2, strides=2)


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        (tokens(16), (3, 16)),
        (tokens(5), (3, 5)),
        (tokens(100), (3, 32)),
        (deep(strided, 3), (3, 32, 32, 3)),
        (deep(strided, 6), (3, 64, 64, 3)),
        (deep(layers.MaxPooling2D, 7), (3, 128, 128, 3)),
    ],
    ids=["sixteen", "five", "hundred", "small", "convolutions", "pooling"],
)
def test_free_sizes_get_a_length_that_the_model_runs_with(model, shape):
    (samples,) = random_samples(make_serving(model), 3).values()
    assert samples.shape == shape
    assert np.isfinite(model(samples)).all()


def test_a_length_that_no_embedding_tells_is_found_by_trying(tmp_path):
    class Table(layers.Layer):
        def build(self, shape):
            self.table = self.add_weight(shape=(10, 4))

        def call(self, x):
            # Slicing gives no more rows than there are, and the sum fails.
            return x + self.table[: keras.ops.shape(x)[1]]

        def compute_output_shape(self, shape):
            return shape

    steps = keras.Input((None, 4), name="steps")
    model = keras.Model(steps, Table()(steps))
    (samples,) = random_samples(make_serving(model), 2).values()
    assert samples.shape == (2, 8, 4)
    assert export(model, tmp_path / "m.tflite").max_error == 0
    assert benchmark(tmp_path / "m.tflite", runs=3).runs == benchmark(model, runs=3).runs == 3


def test_models_that_run_with_no_length_ask_for_the_shape():
    model = deep(layers.MaxPooling2D, 9)
    with pytest.raises(
        ValueError,
        match=r"'deep' cannot be run on samples of shape .*32, 32.* Say which size it takes: input_shape=\.",
    ) as caught:
        random_samples(make_serving(model), 2)
    assert isinstance(caught.value.__cause__, ModelCannotRun)
