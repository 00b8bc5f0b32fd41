"""Data with the key of each sample, and which pass over the data it belongs to."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeAlias

import keras
import numpy as np
import tensorflow as tf

from keras_kd.messages import did_you_mean
from keras_kd.parts import parts
from keras_kd.teachers.taught.digests import as_keys, digests
from keras_kd.tensors import Tensor, Tensors

# The name of a part of `x`, "index", or a function of a batch's inputs and labels; `None`: the content.
Key: TypeAlias = str | Callable[[Any, Any], Tensor] | None


class KeyedBatch(NamedTuple):
    """A batch with what names its samples."""

    position: Tensor  # of its first sample in this pass over the data
    number: Tensor  # of the pass, counted from 0
    keys: Tensor  # (samples,), 64 bits each
    x: Tensors
    y: Tensors
    sample_weight: Tensors


class Passes:
    """Counts the passes that are begun over a data set in this process."""

    def __init__(self) -> None:
        self._numbers: Iterator[int] = itertools.count()

    def begin(self) -> np.ndarray:
        """The number of a pass that begins."""
        return np.asarray(next(self._numbers), np.int64)

    def restart(self) -> None:
        """Make the next pass number 0."""
        self._numbers = itertools.count()


def keyed(data: tf.data.Dataset, key: Key = None, passes: Passes | None = None) -> tf.data.Dataset:
    """A data set of `KeyedBatch`es.

    Args:
        data: Batches of `x`, `(x, y)` or `(x, y, weights)`.
        key: The name of the part of `x` that holds the keys; `"index"` for the position in a pass, if `x` has
            no such part; a function `(x, y) -> (samples,)`; or `None` for a digest of the content of `x`.
        passes: Counts the passes; otherwise each has number 0.

    Raises:
        TypeError: `key` is nothing of these.
        ValueError: There is no such part.
    """
    x, _, _ = unpacked(data.element_spec)
    check_key(key, x)

    def place(state: tuple[Tensor, Tensor], element: Tensors) -> tuple[Any, Any]:
        position, number = state
        if passes is not None:
            begun = tf.equal(position, 0)
            number = tf.cond(
                begun, lambda: _scalar(tf.numpy_function(passes.begin, [], tf.int64)), lambda: number
            )
        count = tf.shape(tf.nest.flatten(element)[0], tf.int64)[0]
        return (position + count, number), (position, number, element)

    def with_keys(position: Tensor, number: Tensor, element: Tensors) -> KeyedBatch:
        x, y, sample_weight = unpacked(element)
        return KeyedBatch(position, number, _keys(key, x, y, position), x, y, sample_weight)

    start = tf.constant(0, tf.int64), tf.constant(0, tf.int64)
    placed = data.scan(start, tf.autograph.experimental.do_not_convert(place))
    return placed.map(tf.autograph.experimental.do_not_convert(with_keys))


def unpacked(element: Any) -> tuple[Any, Any, Any]:
    """The inputs, labels and sample weights of an element of data."""
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(element)
    return x, y, sample_weight


def free_axes(x: Tensors) -> list[bool]:
    """Whether the second axis of each input has any length, from their specs."""
    return [spec.shape.rank > 1 and spec.shape[1] is None for spec in tf.nest.flatten(x)]


def describe_inputs(x: Tensors) -> list[str]:
    """The shape and dtype of each input, for a manifest."""
    found = parts(x).items()
    return [f"{name} {tuple(spec.shape[1:])} {spec.dtype.name}".strip() for name, spec in found]


def check_key(key: Key, x: Tensors) -> None:
    """Raise an error unless a key can be taken of inputs like these."""
    if key is None or callable(key):
        return
    if not isinstance(key, str):
        raise TypeError(
            "`key` is the name of a part of `x`, 'index' or a function of `x` and `y`. Received: "
            f"{type(key).__name__}."
        )
    named = [name for name in parts(x) if name]
    if key != "index" and key not in named:
        raise ValueError(
            f"`key` names no part of `x`, whose parts are {named or 'without names'}."
            f"{did_you_mean(key, named)} Received: {key!r}."
        )


def describe_key(key: Key) -> str:
    """What a manifest says of a key."""
    if key is None:
        return "content"
    return f"function {getattr(key, '__name__', type(key).__name__)}" if callable(key) else f"part {key}"


def _keys(key: Key, x: Tensors, y: Tensors, position: Tensor) -> Tensor:
    leaves = tf.nest.flatten(x)
    named = parts(x)
    if key is None:
        free = free_axes(x)
        found = tf.numpy_function(lambda *arrays: digests(arrays, free), leaves, tf.uint64)
    elif isinstance(key, str) and key not in named:
        found = tf.range(position, position + tf.shape(leaves[0], tf.int64)[0])
        found = tf.bitcast(found, tf.uint64)
    else:
        given = key(x, y) if callable(key) else named[key]
        _check_given(given)
        found = tf.numpy_function(as_keys, [given], tf.uint64)
    return tf.ensure_shape(found, [None])


def _check_given(keys: Any) -> None:
    """Raise an error, before anything runs, unless these can be keys."""
    if not tf.is_tensor(keys):
        return
    if keys.shape.rank not in (None, 1):
        raise ValueError(
            "`key` gives one key for each sample, an array (samples,). Received the shape "
            f"{tuple(keys.shape)}."
        )
    if not keys.dtype.is_integer and keys.dtype != tf.string:
        raise TypeError(f"A key is a whole number or a string. Received: {keys.dtype.name}.")


def _scalar(tensor: Tensor) -> Tensor:
    return tf.ensure_shape(tensor, [])
