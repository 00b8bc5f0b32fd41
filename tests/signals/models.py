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


class Heads(keras.layers.Layer):
    """Returns a dictionary, one of whose keys is also the name of a layer inside."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.hidden, self.out = keras.layers.Dense(3), keras.layers.Dense(2)

    def build(self, shape):
        self.scale = self.add_weight(shape=(), name="scale")
        self.built = True

    def call(self, x):
        hidden = self.hidden(x)
        return {"hidden": 2 * hidden, "scale": x, "logits": self.out(hidden), "heads": [hidden, -hidden]}


def heads():
    inputs = keras.Input((4,))
    return keras.Model(inputs, keras.layers.Dense(2, name="head")(Heads(name="block")(inputs)["logits"]))


def recurrent(library=keras, units=2):
    """An LSTM that returns its states, on padded tokens."""
    layers = library.layers
    inputs = library.Input((3,), dtype="int32")
    x = layers.Embedding(9, 4, mask_zero=True, name="tokens")(inputs)
    sequence, *_ = layers.LSTM(units, return_sequences=True, return_state=True, name="lstm")(x)
    return library.Model(inputs, layers.Dense(2, name="head")(sequence), name="recurrent")


def attentive(library=keras, asks=False, **arguments):
    """Attention over padded tokens, and over a nested model's, which asks for the scores or does not."""
    layers = library.layers
    inputs = library.Input((3,), dtype="int32")
    x = layers.Embedding(9, 4, mask_zero=True, name="tokens")(inputs)
    attention = layers.MultiHeadAttention(2, 3, name="mha", **arguments)
    found = attention(x, x, return_attention_scores=asks)
    x = layers.Add(name="sum")([x, found[0] if asks else found])
    return library.Model(inputs, layers.Dense(2, name="head")(x), name="attentive")


TOKENS = np.array([[3, 1, 0], [2, 0, 0]])

NAMES = {
    "functional": (functional, ["first", "second"]),
    "nested": (nested, ["backbone/first", "backbone/second", "backbone", "head"]),
    "shared": (shared, ["twice:0", "twice:1"]),
    "sequential": (
        lambda: keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="only")]),
        ["only"],
    ),
    "deferred": (lambda: keras.Sequential([keras.layers.Dense(3, name="only")]), ["only"]),
    "dictionary": (
        heads,
        [
            "block/hidden",
            "block/out",
            *("block/output/hidden", "block/output/scale", "block/logits", "block/heads/0", "block/heads/1"),
            "head",
        ],
    ),
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
