"""Data in every form that users have it in, read as batches of inputs and labels."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeAlias, TypeGuard, runtime_checkable

import keras
import numpy as np
import tensorflow as tf

from keras_kd.cardinality import is_endless
from keras_kd.deployment.elements import Batch, Inputs, inputs_and_labels, is_sample
from keras_kd.deployment.source.input_structure import flatten_like
from keras_kd.tensors import Tensors


@runtime_checkable
class RandomAccess(Protocol):
    """Samples with an index, as `tfds.data_source` has them."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Any: ...


# Batches of `x`, `(x, y)` or `(x, y, weights)`, in something that iterates over them or returns such a thing
# when called; single samples in a list or in an object with random access; or the whole as arrays.
Data: TypeAlias = (
    tf.data.Dataset | keras.utils.PyDataset | Tensors | Iterable[Any] | Callable[[], Iterable[Any]]
)


def with_an_end(data: Data) -> Data:
    """The data, or what its function returns, if it is not known to go on forever.

    Raises:
        ValueError: if it is.
    """
    if _is_function(data):
        return with_an_end(data())
    if is_endless(data):
        raise ValueError("The data goes on forever: leave out repeat(), or take(...) some batches of it.")
    return data


def batches(
    data: Data, batch_size: int = 256, inputs: Inputs | None = None, most: int | None = None
) -> Iterator[Batch]:
    """Iterate over data batch by batch.

    Args:
        data: batches of `x`, `(x, y)` or `(x, y, weights)`: a batched `tf.data.Dataset`, a
            `keras.utils.PyDataset`, a generator, any iterable, or a function that returns one, as TensorFlow
            Lite's `representative_dataset`. Or single samples: a list, or an object with `len` and an index,
            as `tfds.data_source`. Or the whole as arrays. In each, `x` may be an array, a dict or a list of
            arrays; samples may be dicts that hold their label under `"label"`. A batch may be a list
            `[x, y]`, as PyTorch's loaders yield it, if the model takes `x`, and not the list.
        batch_size: rows per batch, for arrays and single samples.
        inputs: what the model takes, if it is known.
        most: how many rows of arrays to yield, spread evenly over them; `None` for all.

    Yields:
        `(x, y)`, where `y` is `None` without labels. Weights are left out.

    Raises:
        TypeError: if the data is nothing of the above.
        ValueError: if rows differ, a `tf.data.Dataset` is not batched, or a generator was used up.
    """
    if _is_function(data):
        yield from batches(data(), batch_size, inputs, most)
        return
    elements = _elements(data, inputs)
    if elements is None:
        yield from _slices(inputs_and_labels(data, inputs), batch_size, inputs, most)
        return
    samples: list[Batch] = []
    for x, y in (inputs_and_labels(element, inputs) for element in elements):
        alone = inputs is not None and is_sample(x, inputs)
        if alone and isinstance(data, tf.data.Dataset):
            raise ValueError(
                "The tf.data.Dataset holds single samples, and batches are needed: add .batch(32)."
            )
        if samples and (not alone or len(samples) == batch_size or _shapes(samples[0]) != _shapes((x, y))):
            yield _stacked(samples)
            samples = []
        if alone:
            samples.append((x, y))
        else:
            yield x, y
    if samples:
        yield _stacked(samples)


def _is_function(data: object) -> TypeGuard[Callable[[], Iterable[Any]]]:
    return callable(data) and not isinstance(data, (type, keras.layers.Layer)) and not _is_array(data)


def _is_array(data: object) -> bool:
    return hasattr(data, "__array__") and hasattr(data, "shape")


def _elements(data: Data, inputs: Inputs | None) -> Iterable[Any] | None:
    """The batches or samples of data, one by one; `None` for arrays, which are the whole."""
    if isinstance(data, tf.data.Dataset):
        return data.as_numpy_iterator()
    if isinstance(data, keras.utils.PyDataset):
        return (data[i] for i in (itertools.count() if is_endless(data) else range(data.num_batches)))
    if _is_array(data) or isinstance(data, (Mapping, tuple)):
        return None
    if isinstance(data, list):
        return None if _is_whole(data, inputs) else data
    if isinstance(data, Iterator):
        return _once(data)
    if not isinstance(data, (str, bytes, type)):
        if isinstance(data, RandomAccess):
            return (data[i] for i in range(len(data)))
        if isinstance(data, Iterable):
            return data
    raise TypeError(
        "Expected data as arrays, a tf.data.Dataset, a keras.utils.PyDataset, an iterable of batches or a "
        f"function that returns one; received {type(data).__name__}."
    )


def _is_whole(data: list[Any], inputs: Inputs | None) -> bool:
    """Whether a list holds the inputs of a model, or numbers, rather than batches or samples one by one."""
    if not data or not all(_is_array(part) for part in data):
        leaves = keras.tree.flatten(data)
        matches = inputs is not None and flatten_like(inputs.interface.inputs, data) is not None
        return matches or not any(_is_array(leaf) for leaf in leaves)
    if inputs is None:
        return True
    if len(inputs.tensors) > 1:
        return len(data) == len(inputs.tensors)
    return len(data) == 1 and not is_sample(data[0], inputs)


def _once(data: Iterator[Any]) -> Iterator[Any]:
    empty = True
    for element in data:
        empty = False
        yield element
    if empty:
        raise ValueError(
            f"The {type(data).__name__} yields nothing: it is empty, or it was used up, as it can be read "
            "once. Pass a function that returns a new one."
        )


def _shapes(x: Tensors) -> list[tuple[int, ...]]:
    return [np.shape(array) for array in keras.tree.flatten(x)]


def _stacked(samples: list[Batch]) -> Batch:
    return (  # labels may be None, which are leaves
        keras.tree.map_structure(lambda *parts: np.stack(parts), *(x for x, _ in samples)),
        keras.tree.map_structure(
            lambda *parts: None if parts[0] is None else np.stack(parts), *(y for _, y in samples)
        ),
    )


def _is_one_by_one(labels: list[Any], rows: int) -> bool:
    """Whether a list holds the labels of each sample, rather than those of each output."""
    return len(labels) == rows and all(_is_array(part) and part.shape[:1] != (rows,) for part in labels)


def _holds_numbers(part: Tensors) -> TypeGuard[list[Any]]:
    return isinstance(part, list) and not any(_is_array(leaf) for leaf in keras.tree.flatten(part))


def _joined(parts: Sequence[Any], what: str) -> np.ndarray:
    """One array of the rows in a list."""
    try:
        return np.stack(parts) if len(parts) else np.asarray(parts)
    except ValueError:
        raise ValueError(
            f"The {what} have several shapes and make no array: pass samples or batches one by one, as in "
            "list(zip(x, y))."
        ) from None


def _slices(whole: Batch, batch_size: int, inputs: Inputs | None, most: int | None) -> Iterator[Batch]:
    x, y = _whole_arrays(whole, inputs)
    rows = {len(array) for array in map(np.asarray, keras.tree.flatten((x, y))) if array.ndim}
    if len(rows) > 1:
        raise ValueError(f"Inputs and labels need the same number of rows; received {sorted(rows)}.")
    count = max(rows, default=0)
    wanted = count if most is None else min(most, count)
    for start in range(0, wanted, batch_size):
        stop = min(start + batch_size, wanted)
        # A slice copies nothing.
        picked = slice(start, stop) if wanted == count else np.arange(start, stop) * count // wanted
        yield keras.tree.map_structure(
            lambda array, picked=picked: None if array is None else np.asarray(array)[picked], (x, y)
        )


def _whole_arrays(whole: Batch, inputs: Inputs | None) -> Batch:
    """The whole of data, with one array where a list holds rows."""
    x, y = whole
    x = _joined(x, "inputs") if _holds_numbers(x) else x
    y = _joined(y, "labels") if _holds_numbers(y) else y
    is_one = inputs is not None and len(inputs.tensors) == 1 and not inputs.interface.takes_part(x)
    if is_one and isinstance(x, (list, tuple)) and len(x) > 1:
        x = _joined(x, "inputs")
    if isinstance(y, list) and _is_one_by_one(y, len(np.asarray(keras.tree.flatten(x)[0]))):
        y = _joined(y, "labels")
    return x, y
