"""Data in parts that are read by themselves, so that several processes can label it at once."""

import functools
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias, TypeGuard

import keras
import numpy as np
import tensorflow as tf

from keras_kd.teachers.taught.sources import Data, as_dataset

# A function for each part, which returns its batches in any form that data may have.
Functions: TypeAlias = Sequence[Callable[[], Data]]


def is_parted(data: object) -> TypeGuard[list[Callable[[], Data]]]:
    """Whether data is a list of functions, one for each part."""
    return isinstance(data, list) and bool(data) and all(callable(part) for part in data)


def whole(data: Data | Functions, batch_size: int = 32, shuffle: bool = False) -> tf.data.Dataset:
    """All data, as `as_dataset`; the parts of a list of functions in turn."""
    if not is_parted(data):
        return as_dataset(data, batch_size, shuffle)
    return _in_turn(data, batch_size, _spec(data, batch_size))


class Parts:
    """Data in numbered parts, each of which becomes a shard.

    Args:
        data: As of `as_dataset`, or a list of functions.
        batch_size: Samples per batch, where data comes without batches.
        rows: About how many samples a part has; those of functions have their own number.

    Attributes:
        description: What a manifest says of it.

    Raises:
        ValueError: The data does not tell how many batches it has, or comes in another order each time.
    """

    def __init__(self, data: Data | Functions, batch_size: int, rows: int) -> None:
        self._data: Any = data
        self._batch_size = batch_size
        if is_parted(data):
            self._count, self.description = len(data), f"{len(data)} functions"
            self._spec = _spec(data, batch_size)
            return
        batches = int(as_dataset(data, batch_size).cardinality())
        if batches < 0:
            raise ValueError(
                "The data does not tell how many batches it has, so it cannot be divided. Pass a list of "
                "functions, each of which returns the batches of a part; or give the data set its number, by "
                "tf.data.experimental.assert_cardinality."
            )
        size = _rows_of_first(data, batch_size)
        self._batches = max(1, math.ceil(rows / size))
        self._count = math.ceil(batches / self._batches)
        self.description = f"{self._count} of {self._batches * size} samples"

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: int) -> tf.data.Dataset:
        if is_parted(self._data):
            return _in_turn([self._data[number]], self._batch_size, self._spec)
        first = number * self._batches
        return as_dataset(self._data, self._batch_size, batches=range(first, first + self._batches))

    def of(self, part: tuple[int, int] | None) -> list[int]:
        """The numbers of those that process `part[0]` of `part[1]` labels; of all by default."""
        index, count = part or (0, 1)
        return list(range(index, len(self), count))

    def in_turn(self, numbers: Sequence[int]) -> tf.data.Dataset:
        """Some parts as one data set."""
        if not numbers:
            return self[0].take(0)
        parts = [functools.partial(self.__getitem__, number) for number in numbers]
        return _in_turn(parts, self._batch_size, self[numbers[0]].element_spec)


def check_part(part: tuple[int, int] | None) -> None:
    """Raise an error unless `part` is a number and of how many.

    Raises:
        TypeError: It is no pair of whole numbers.
        ValueError: There is no such part.
    """
    if part is None:
        return
    is_pair = isinstance(part, tuple) and len(part) == 2
    if not is_pair or not all(isinstance(each, int) and not isinstance(each, bool) for each in part):
        raise TypeError(f"`part` is a pair (index, count), such as (0, 8). Received: {part!r}.")
    index, count = part
    if not 0 <= index < count:
        raise ValueError(f"`part` is (index, count) with an index from 0 to count - 1. Received: {part!r}.")


def check_order(data: Data | Functions, batch_size: int) -> None:
    """Raise a `ValueError` if the first batch of data is another one each time."""
    one, two = (next(whole(data, batch_size).take(1).as_numpy_iterator(), None) for _ in range(2))
    pairs = zip(tf.nest.flatten(one), tf.nest.flatten(two), strict=True)
    if not all(np.array_equal(a, b, equal_nan=a.dtype.kind in "fc") for a, b in pairs):
        raise ValueError(
            "The data comes in another order, or changed, each time it is read, so processes cannot divide "
            "it: leave shuffling and random augmentation out; `augment` is replayed."
        )


def _rows_of_first(data: Data, batch_size: int) -> int:
    if isinstance(data, (tf.data.Dataset, keras.utils.PyDataset, str)):  # with batches of their own
        first = next(as_dataset(data, batch_size).take(1).as_numpy_iterator())
        return max(1, len(tf.nest.flatten(first)[0]))
    return batch_size


def _dataset(function: Callable[[], Data], batch_size: int) -> tf.data.Dataset:
    made = function()
    known = isinstance(made, (tf.data.Dataset, keras.utils.PyDataset, str, tuple, Mapping))
    return as_dataset(made if known or hasattr(made, "__array__") else function, batch_size)


def _spec(functions: Functions, batch_size: int) -> Any:
    """The specs of a batch of any part."""
    spec = _dataset(functions[0], batch_size).element_spec
    return tf.nest.map_structure(lambda each: tf.TensorSpec([None, *each.shape[1:]], each.dtype), spec)


def _in_turn(functions: Functions, batch_size: int, spec: Any) -> tf.data.Dataset:
    def batches() -> Iterator[Any]:
        each: Iterable[Any] = (_dataset(part, batch_size).as_numpy_iterator() for part in functions)
        return itertools.chain.from_iterable(each)

    return tf.data.Dataset.from_generator(batches, output_signature=spec)
