"""Sizes of shapes."""

import math
from collections.abc import Iterable

import tensorflow as tf


def size_of(shape: Iterable[int | None]) -> int:
    """The number of elements; free axes count as 1.

    Examples:
        >>> size_of((None, 8, 8, 3))
        192
    """
    return math.prod(1 if size is None else size for size in shape)


def bytes_of(shape: Iterable[int | None], dtype: str) -> int:
    """The bytes of an activation in a file, which computes in float32 where a model uses half precision.

    Examples:
        >>> bytes_of((None, 8, 8, 3), "float16")
        768
    """
    kind = tf.as_dtype(dtype)
    return size_of(shape) * (max(kind.size, 4) if kind.is_floating else kind.size)
