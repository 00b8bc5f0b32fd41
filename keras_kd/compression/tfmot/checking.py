"""Whether a rebuilt model computes what its original does, on made-up inputs."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from .directions import Direction, plain
from .graphs import Entry

# float32 carries 7 digits, of which sums in another order cost the last one or two.
TOLERANCE = 1e-5
# What one rounding in a half-precision type costs, relative to the value.
ROUNDING = {"float16": 2.0**-11, "bfloat16": 2.0**-8}
# The last bit of a number next to 1.
EPSILON = {"float16": 2.0**-10, "bfloat16": 2.0**-7, "float32": 2.0**-23, "float64": 2.0**-52}
# Every layer rounds, where moving the inputs by one rounding shows the effect of a single one.
ROUNDINGS = 16


def check(source: Any, target: Any, entries: list[Entry], structure: Any, direction: Direction) -> None:
    """Raises a ValueError where the outputs of both models differ.

    Where they do, but the original itself answers about as differently to inputs that are one rounding off,
    other inputs are tried: deep networks that are not trained may amplify roundings a millionfold.
    """
    most, failure, amplified = tolerance(source), None, None
    for inputs in made_up(source, entries):
        given = keras.tree.pack_sequence_as(structure, inputs)
        try:
            expected = arrays(source(given, training=False))
        except Exception as error:  # these numbers are not what the model reads: the next may be
            failure = error
            continue
        apart = largest_difference(expected, arrays(target(given, training=False)))
        if apart <= most:
            return
        off = keras.tree.pack_sequence_as(structure, [one_rounding_off(value) for value in inputs])
        amplified = largest_difference(expected, arrays(source(off, training=False)))
        if apart > ROUNDINGS * amplified:
            raise ValueError(
                f"the model rebuilt in {direction.name} does not compute what the original does: on made-up "
                f"inputs the largest difference is {apart:.2g} of the largest output, where {most:.2g} is "
                "accepted. Please report the layers it has; pass check=False to get it all the same"
            )
    why = "the original accepts none of the inputs that were made up"
    if amplified is not None:
        why = f"inputs that are one rounding off change {amplified:.2g} of the original's largest output"
    raise ValueError(
        f"the rebuilt model could not be checked, since {why}; pass check=False and compare the two on your "
        "own data"
    ) from failure


def made_up(model: Any, entries: list[Entry]) -> Iterator[list]:
    """Inputs of growing size and several ranges; whole numbers are for models that count in floats."""
    random = np.random.default_rng(0)
    layers = [getattr(layer, "operation", layer) for layer in model._flatten_layers()]
    sizes = (8, 32, 128, 256) if any(None in entry.shape[1:] for entry in entries) else (0,)
    for size in sizes:
        for kind in ("normal", "whole", "image", "unit"):
            yield [value(entry, layers, size, kind, random) for entry in entries]


def one_rounding_off(value: Any) -> Any:
    """A made-up value with each number moved by its last bit, up or down; what does not round stays."""
    if not isinstance(value, tf.Tensor) or not value.dtype.is_floating:
        return value
    up = np.random.default_rng(1).random(value.shape) < 0.5
    return value * tf.cast(1 + np.where(up, 1, -1) * EPSILON[value.dtype.name], value.dtype)


def value(entry: Entry, layers: list, size: int, kind: str, random: np.random.Generator) -> Any:
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
    tensor = tf.cast(tf.constant(array), dtype) if dtype != tf.string else tf.constant(array)
    if entry.sparse:
        return tf.sparse.from_dense(tensor)
    return tf.RaggedTensor.from_tensor(tensor) if entry.ragged else tensor


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


def arrays(outputs: Any) -> list[np.ndarray]:
    """The outputs as dense arrays."""
    dense = []
    for output in keras.tree.flatten(plain(outputs)):
        if isinstance(output, tf.SparseTensor):
            output = tf.sparse.to_dense(output)
        dense.append(
            output.to_tensor().numpy() if isinstance(output, tf.RaggedTensor) else np.asarray(output)
        )
    return dense


def tolerance(model: Any) -> float:
    """The largest difference to accept, relative to the largest output.

    In half precision each layer rounds what it hands on. The roundings of two libraries that add in another
    order are independent, so that they grow with the square root of the depth; four of them are let pass.
    """
    layers = list(model._flatten_layers())
    coarsest = max((ROUNDING.get(layer.compute_dtype, 0.0) for layer in layers), default=0.0)
    return max(TOLERANCE, 4 * coarsest * float(np.sqrt(len(layers))))


def difference(expected: np.ndarray, received: np.ndarray) -> float:
    """The largest difference, relative to the largest expected value; 0 if equal, NaN included."""
    if expected.dtype.kind not in "fV":
        return 0.0 if np.array_equal(expected, received) else float("inf")
    expected, received = expected.astype("float64"), received.astype("float64")
    if not np.array_equal(np.isfinite(expected), np.isfinite(received)):
        return float("inf")
    finite = np.isfinite(expected)
    if not np.array_equal(expected[~finite], received[~finite], equal_nan=True):
        return float("inf")
    apart = np.abs(expected[finite] - received[finite]).max(initial=0.0)
    most = np.abs(expected[finite]).max(initial=0.0)
    return float(apart / most) if most else float("inf") if apart else 0.0


def largest_difference(expected: list, received: list) -> float:
    """The largest difference of several outputs; infinite where their shapes differ."""
    if [array.shape for array in expected] != [array.shape for array in received]:
        return float("inf")
    return max((difference(a, b) for a, b in zip(expected, received, strict=True)), default=0.0)
