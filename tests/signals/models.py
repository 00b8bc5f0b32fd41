"""Models of every kind, and the names of their taps."""

import keras
import numpy as np

from keras_kd.signals.taps import Taps

X = np.arange(8, dtype="float32").reshape(2, 4)


def functional():
    inputs = keras.Input((4,))
    x = keras.layers.Dense(3, name="first")(inputs)
    return keras.Model(inputs, keras.layers.Dense(2, name="second")(x), name="functional")


def nested():
    backbone = functional()
    backbone.name = "backbone"
    inputs = keras.Input((4,))
    return keras.Model(inputs, keras.layers.Dense(5, name="head")(backbone(inputs)), name="nested")


def shared():
    dense = keras.layers.Dense(4, name="twice")
    inputs = keras.Input((4,))
    return keras.Model(inputs, dense(dense(inputs)), name="shared")


class Block(keras.layers.Layer):
    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(3)

    def call(self, x):
        return self.dense(x)


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__(name="subclassed")
        self.entry = keras.layers.Dense(4)
        self.blocks = [Block(), Block()]
        self.idle = keras.layers.Dense(9)
        self.idle.build((None, 4))

    def call(self, x):
        x = self.entry(x)
        for block in self.blocks:
            x = block(x)
        return x


NAMES = {
    "functional": (functional, ["first", "second"]),
    "nested": (nested, ["backbone/first", "backbone/second", "backbone", "head"]),
    "shared": (shared, ["twice:0", "twice:1"]),
    "sequential": (
        lambda: keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="only")]),
        ["only"],
    ),
    "deferred": (lambda: keras.Sequential([keras.layers.Dense(3, name="only")]), ["only"]),
    "subclassed": (
        Subclassed,
        ["entry", "blocks/0", "blocks/0/dense", "blocks/1", "blocks/1/dense", "idle"],
    ),
}


def run(model, names, x, **call):
    taps = Taps(model, names)
    with taps.record() as recording:
        outputs = model(x, **call)
    return taps.signals(outputs, recording)
