"""Tiny models of every kind, and data for them."""

from dataclasses import replace

import keras
import numpy as np
import tensorflow as tf

from keras_kd.deployment.conversion.request import Request
from keras_kd.deployment.conversion.saved_model import save
from keras_kd.deployment.quantizations import FLOAT32
from keras_kd.deployment.source.serving import make_serving

layers = keras.layers


def cnn(activation=None, policy="float32"):
    image = keras.Input((10, 10, 1), name="image", dtype="float32")
    x = layers.Conv2D(6, 3, use_bias=False, dtype=policy)(image)
    x = layers.ReLU(dtype=policy)(layers.BatchNormalization(dtype=policy)(x))
    y = layers.Conv2D(6, 3, padding="same", dtype=policy)(x)
    x = layers.GlobalAveragePooling2D(dtype=policy)(layers.Add(dtype=policy)([x, y]))
    return keras.Model(image, layers.Dense(5, activation=activation, dtype=policy)(x), name="cnn")


def softmax():
    return cnn("softmax")


def half():
    return cnn(policy="mixed_float16")


def dense():
    return keras.Sequential([keras.Input((4,)), layers.Dense(3)], name="dense")


def wide():
    return keras.Sequential([keras.Input((48,)), layers.Dense(48), layers.Dense(3)], name="wide")


def dicts():
    inputs = {name: keras.Input((4,), name=name) for name in ("right", "left")}
    x = layers.Concatenate()([inputs["left"], layers.Dense(4)(inputs["right"])])
    return keras.Model(inputs, {"z": layers.Dense(3)(x), "alpha": layers.Dense(2)(x)}, name="dicts")


def lists():
    # Sorted by name, these would change places.
    first, second = keras.Input((4,), name="zebra"), keras.Input((4,), name="ant")
    x = layers.Subtract()([first, layers.Dense(4)(second)])
    return keras.Model([first, second], [layers.Dense(3)(x), layers.Dense(2)(x)], name="lists")


def lstm():
    return keras.Sequential([keras.Input((4, 3)), layers.LSTM(4), layers.Dense(2)], name="lstm")


def nested_gru():
    steps = keras.Input((4, 3))
    inner = keras.Sequential([keras.Input((4, 3)), layers.GRU(4, name="deep_gru")], name="inner")
    return keras.Model(steps, layers.Dense(2)(inner(steps)), name="nested_gru")


def unrolled():
    return keras.Sequential([keras.Input((3, 3)), layers.LSTM(3, unroll=True)], name="unrolled")


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__(name="subclassed")
        self.hidden = layers.Dense(6, activation="relu")
        self.head = layers.Dense(3)

    def call(self, x):
        return self.head(self.hidden(x))


def subclassed():
    model = Subclassed()
    model(np.ones((2, 4), "float32"))
    return model


class Scale(layers.Layer):
    def build(self, shape):
        self.scale = self.add_weight(shape=(shape[-1],), initializer="ones")

    def call(self, x):
        return keras.ops.tanh(x) * self.scale


def custom():
    return keras.Sequential([keras.Input((4,)), layers.Dense(5), Scale(), layers.Dense(3)], name="custom")


def conv1d():
    stack = [layers.Conv1D(6, 3), layers.SeparableConv1D(6, 3), layers.GlobalMaxPooling1D(), layers.Dense(3)]
    return keras.Sequential([keras.Input((12, 3)), *stack], name="conv1d")


def text():
    ids = keras.Input((6,), dtype="int32", name="ids")
    x = layers.GlobalAveragePooling1D()(layers.Embedding(20, 8)(ids))
    return keras.Model(ids, layers.Dense(3)(x), name="text")


def attention():
    tokens = keras.Input((4, 8), name="tokens")
    x = layers.LayerNormalization()(tokens)
    x = layers.MultiHeadAttention(2, 4)(x, x)
    return keras.Model(tokens, layers.Dense(2)(layers.GlobalAveragePooling1D()(x)), name="attention")


def any_size():
    image = keras.Input((None, None, 1))
    return keras.Model(image, layers.Conv2D(2, 3)(image), name="any_size")


def pixels():
    image = keras.Input((6, 6, 1), dtype="uint8", name="image")
    scores = layers.Conv2D(3, 2)(layers.Rescaling(1 / 255)(keras.ops.cast(image, "float32")))
    return keras.Model(image, {"scores": scores, "classes": layers.Lambda(argmax)(scores)}, name="pixels")


def argmax(scores):
    return tf.argmax(scores, -1)


class Distilling(keras.Model):
    """Holds a student, as a Distiller does."""

    def __init__(self, student):
        super().__init__()
        self.student = student


def applied(function, shape=(4,)):
    return keras.Sequential([keras.Input(shape), layers.Lambda(function)], name="applied")


def data(model, rows=40):
    """Random inputs in the structure that the model takes."""
    rng = np.random.default_rng(1)

    def values(tensor):
        shape = (rows, *tensor.shape[1:])
        if tensor.dtype == "int32":
            return rng.integers(0, 20, shape).astype("int32")
        return rng.normal(size=shape).astype("float32")

    if isinstance(model, Subclassed):
        return rng.normal(size=(rows, 4)).astype("float32")
    if isinstance(model, keras.Sequential):
        return values(model.inputs[0])
    return keras.tree.map_structure(values, model.input)


def request(model, folder, quantization=FLOAT32, **options):
    """Save a model and its samples, and write what the converter process would be asked."""
    made = Request(folder, quantization, **{"compared": 9} | options)
    served = make_serving(model, batch_size=made.batch_size)
    save(served, made.saved_model)
    arrays = served.arrays(data(model))
    np.savez(made.samples, **arrays)
    return replace(made, interface=served.interface(served.outputs(arrays)))
