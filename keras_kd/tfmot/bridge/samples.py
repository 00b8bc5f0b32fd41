"""Random inputs for a model, with padding at the end where the model has masks."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from keras_kd.legacy import KerasLayer, KerasModel, all_layers_of
from keras_kd.tensors import Tensor
from keras_kd.tfmot.bridge.graphs import ModelInput

# The last bit of a number close to 1.
EPSILON = {"float16": 2.0**-10, "bfloat16": 2.0**-7, "float32": 2.0**-23, "float64": 2.0**-52}


def find_layers(model: KerasModel) -> list[KerasLayer]:
    """All layers of a model; a layer that calls a layer of the other library is replaced by that layer."""
    return [getattr(layer, "operation", layer) for layer in all_layers_of(model)]


def find_paddings(model: KerasModel) -> list[float]:
    """The values that layers of a model treat as padding; none if no layer creates masks."""
    layers = find_layers(model)
    masking = [layer for layer in layers if type(layer).__name__ == "Masking"]
    found = {float(layer.mask_value) for layer in masking}
    zero = any(getattr(layer, "mask_zero", False) for layer in layers)
    return sorted(found | ({0.0} if zero else set()))


def random_inputs(
    model: KerasModel, entries: Sequence[ModelInput], padding: float | None = None
) -> Iterator[list[Any]]:
    """Inputs of growing size and various ranges; integers are for models that count in floats.

    Args:
        model: The model that takes them.
        entries: The inputs of the model.
        padding: The value of the last steps of each sequence, or None for full sequences.
    """
    random = np.random.default_rng(0)
    layers = find_layers(model)
    sizes = (8, 32, 128, 256) if any(None in entry.shape[1:] for entry in entries) else (0,)
    for size in sizes:
        for kind in ("normal", "integer", "image", "unit"):
            yield [random_value(entry, layers, size, kind, random, padding) for entry in entries]


def perturb(value: Tensor) -> Tensor:
    """A value with each float changed by its last bit, up or down; other dtypes stay unchanged."""
    if not isinstance(value, tf.Tensor) or not value.dtype.is_floating:
        return value
    up = np.random.default_rng(1).random(value.shape) < 0.5
    return value * tf.cast(1 + np.where(up, 1, -1) * EPSILON[value.dtype.name], value.dtype)


def random_value(
    entry: ModelInput,
    layers: Sequence[KerasLayer],
    size: int,
    kind: str,
    random: np.random.Generator,
    padding: float | None,
) -> Tensor:
    """A random value for an input."""
    first, *rest = entry.shape
    shape = [first or 2, *(size if dimension is None else dimension for dimension in rest)]
    dtype = tf.as_dtype(entry.dtype)
    if dtype == tf.string:
        array = random.choice(sample_words(layers), shape)
    elif dtype == tf.bool:
        array = random.random(shape) < 0.5
    elif dtype.is_floating and kind != "integer":
        array = random.uniform(0, 255 if kind == "image" else 1, shape)
        array = random.standard_normal(shape) if kind == "normal" else array
    else:
        array = random.integers(0, integer_limit(layers), shape)
    if padding is not None and array.ndim > 1 and dtype != tf.bool:
        pad_ends(array, "" if dtype == tf.string else padding)
    tensor = tf.cast(tf.constant(array), dtype) if dtype != tf.string else tf.constant(array)
    if entry.sparse:
        return tf.sparse.from_dense(tensor)
    return tf.RaggedTensor.from_tensor(tensor) if entry.ragged else tensor


def pad_ends(array: np.ndarray, padding: float | str) -> None:
    """Pad the end of each sequence by a different number of steps; the first step of each is kept."""
    for number, sequence in enumerate(array):
        sequence[max(1, len(sequence) * (number + 1) // (len(array) + 1)) :] = padding


def integer_limit(layers: Sequence[KerasLayer]) -> int:
    """The limit below which every layer that counts accepts integers."""
    names = ("input_dim", "num_tokens")
    limits = [
        getattr(layer, name)
        for layer in layers
        for name in names
        if isinstance(getattr(layer, name, None), int)
    ]
    return min(limits, default=256)


def sample_words(layers: Sequence[KerasLayer]) -> list[str]:
    """Words that the model knows, and two that it does not know."""
    known = [
        str(word)
        for layer in layers
        if hasattr(layer, "get_vocabulary")
        for word in layer.get_vocabulary()[:20]
    ]
    return [*known, "Unknown", "words!"]
