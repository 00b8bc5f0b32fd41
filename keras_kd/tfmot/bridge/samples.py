"""Made-up inputs for a model, with padding at the end where the model has masks."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from keras_kd.tfmot.bridge.graphs import Entry

# The last bit of a number next to 1.
EPSILON = {"float16": 2.0**-10, "bfloat16": 2.0**-7, "float32": 2.0**-23, "float64": 2.0**-52}


def layers_of(model: Any) -> list:
    """All layers of a model, and what its layers call."""
    return [getattr(layer, "operation", layer) for layer in model._flatten_layers()]


def paddings(model: Any) -> list[float]:
    """The values that make a padded step for some layer of a model; none where nothing makes masks."""
    layers = layers_of(model)
    masking = [layer for layer in layers if type(layer).__name__ == "Masking"]
    found = {float(layer.mask_value) for layer in masking}
    zero = any(getattr(layer, "mask_zero", False) for layer in layers)
    return sorted(found | ({0.0} if zero else set()))


def made_up(model: Any, entries: list[Entry], padding: float | None = None) -> Iterator[list]:
    """Inputs of growing size and several ranges; whole numbers are for models that count in floats.

    Args:
        model: The model that reads them.
        entries: Its inputs.
        padding: What the last steps of each sequence hold, or None for sequences that are full.
    """
    random = np.random.default_rng(0)
    layers = layers_of(model)
    sizes = (8, 32, 128, 256) if any(None in entry.shape[1:] for entry in entries) else (0,)
    for size in sizes:
        for kind in ("normal", "whole", "image", "unit"):
            yield [value(entry, layers, size, kind, random, padding) for entry in entries]


def one_rounding_off(value: Any) -> Any:
    """A made-up value with each number moved by its last bit, up or down; what does not round stays."""
    if not isinstance(value, tf.Tensor) or not value.dtype.is_floating:
        return value
    up = np.random.default_rng(1).random(value.shape) < 0.5
    return value * tf.cast(1 + np.where(up, 1, -1) * EPSILON[value.dtype.name], value.dtype)


def value(
    entry: Entry, layers: list, size: int, kind: str, random: np.random.Generator, padding: float | None
) -> Any:
    """A made-up value of an input."""
    first, *rest = entry.shape
    shape = [first or 2, *(size if dimension is None else dimension for dimension in rest)]
    dtype = tf.as_dtype(entry.dtype)
    if dtype == tf.string:
        array = random.choice(words(layers), shape)
    elif dtype == tf.bool:
        array = random.random(shape) < 0.5
    elif dtype.is_floating and kind != "whole":
        array = random.uniform(0, 255 if kind == "image" else 1, shape)
        array = random.standard_normal(shape) if kind == "normal" else array
    else:
        array = random.integers(0, most(layers), shape)
    if padding is not None and array.ndim > 1 and dtype != tf.bool:
        pad(array, "" if dtype == tf.string else padding)
    tensor = tf.cast(tf.constant(array), dtype) if dtype != tf.string else tf.constant(array)
    if entry.sparse:
        return tf.sparse.from_dense(tensor)
    return tf.RaggedTensor.from_tensor(tensor) if entry.ragged else tensor


def pad(array: np.ndarray, padding: Any) -> None:
    """Pads the end of each sequence, and of no two sequences alike; the first step of each stays."""
    for number, sequence in enumerate(array):
        sequence[max(1, len(sequence) * (number + 1) // (len(array) + 1)) :] = padding


def most(layers: list) -> int:
    """Below which whole numbers every layer that counts accepts them."""
    names = ("input_dim", "num_tokens")
    limits = [
        getattr(layer, name)
        for layer in layers
        for name in names
        if isinstance(getattr(layer, name, None), int)
    ]
    return min(limits, default=256)


def words(layers: list) -> list[str]:
    """Words which the model knows, and two that it does not."""
    known = [
        str(word)
        for layer in layers
        if hasattr(layer, "get_vocabulary")
        for word in layer.get_vocabulary()[:20]
    ]
    return [*known, "Made up", "words!"]
