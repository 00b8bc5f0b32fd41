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


def check(source: Any, target: Any, entries: list[Entry], structure: Any, direction: Direction) -> None:
    """Raises a ValueError where the outputs of both models differ."""
    failure: Exception | None = None
    for inputs in made_up(source, entries):
        given = keras.tree.pack_sequence_as(structure, inputs)
        try:
            expected = arrays(source(given, training=False))
        except Exception as error:  # these numbers are not what the model reads: the next may be
            failure = error
            continue
        compare(expected, arrays(target(given, training=False)), tolerance(source, direction), direction)
        return
    raise ValueError(
        "the rebuilt model could not be checked, since the original accepts none of the inputs that were "
        "made up; pass check=False and compare the two on your own data"
    ) from failure


def made_up(model: Any, entries: list[Entry]) -> Iterator[list]:
    """Inputs of growing size: normal numbers first, and whole ones for models that count in floats."""
    random = np.random.default_rng(0)
    layers = [getattr(layer, "operation", layer) for layer in model._flatten_layers()]
    sizes = (8, 32, 128, 256) if any(None in entry.shape[1:] for entry in entries) else (0,)
    for size in sizes:
        for whole in (False, True):
            yield [value(entry, layers, size, whole, random) for entry in entries]


def value(entry: Entry, layers: list, size: int, whole: bool, random: np.random.Generator) -> Any:
    """A made-up value of an input."""
    first, *rest = entry.shape
    shape = [first or 2, *(size if dimension is None else dimension for dimension in rest)]
    dtype = tf.as_dtype(entry.dtype)
    if dtype == tf.string:
        array = random.choice(words(layers), shape)
    elif dtype == tf.bool:
        array = random.random(shape) < 0.5
    elif dtype.is_floating and not whole:
        array = random.standard_normal(shape)
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


def tolerance(model: Any, direction: Direction) -> float:
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
    apart = np.abs(expected - received)[finite].max(initial=0.0)
    return float(apart / np.abs(expected[finite]).max(initial=0.0)) if apart else 0.0


def compare(expected: list, received: list, most: float, direction: Direction) -> None:
    """Raises a ValueError where outputs differ."""
    shapes = [[array.shape for array in arrays] for arrays in (expected, received)]
    if shapes[0] != shapes[1]:
        raise ValueError(
            f"the rebuilt model returns shapes {shapes[1]} where the original returns {shapes[0]}"
        )
    apart = max((difference(a, b) for a, b in zip(expected, received, strict=True)), default=0.0)
    if apart > most:
        raise ValueError(
            f"the model rebuilt in {direction.name} does not compute what the original does: on made-up "
            f"inputs the largest difference is {apart:.2g} of the largest output, where {most:.2g} is "
            "accepted. Please report the layers it has; pass check=False to get it all the same"
        )
