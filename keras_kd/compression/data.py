"""Data in every form that users have it in, checked against a Keras model and read batch by batch."""

import functools
import itertools
from collections.abc import Iterator

import keras
import numpy as np

from keras_kd.deployment.data_sources import Data as Data
from keras_kd.deployment.data_sources import batches, with_an_end
from keras_kd.deployment.source.serving import Serving, make_serving
from keras_kd.tensors import Tensors


def batches_of(
    model: keras.Model, data: Data, batch_size: int = 256, most: int | None = None
) -> Iterator[tuple[Tensors, Tensors]]:
    """Read data for a model as batches of inputs and labels.

    The first batch is read and checked at once, so that data that does not fit is refused before anything is
    computed; the others are checked as they come.

    Args:
        model: A built model.
        data: Batches of `x`, `(x, y)` or `(x, y, weights)`: a batched `tf.data.Dataset`, a
            `keras.utils.PyDataset`, a generator, any iterable, or a function that returns one. Or single
            samples in a list. Or the whole as arrays.
        batch_size: Rows per batch, for arrays and single samples.
        most: How many rows of arrays to read, spread evenly over them; `None` for all.

    Returns:
        Batches `(x, y)`: the inputs as arrays in the structure and types that the model takes, and the labels
        as they are, or `None` without labels.

    Raises:
        ValueError: The data is empty or endless, or does not fit the model.
        TypeError: Its type does not fit.

    Examples:
        >>> import numpy as np
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
        >>> [len(x) for x, _ in batches_of(model, np.zeros((300, 4)))]
        [256, 44]
    """
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise ValueError(f"batch_size must be a whole number of 1 or more. Received: {batch_size!r}.")
    checked = _checked(_serving_of(model), with_an_end(data), batch_size, most)
    first = next(checked, None)
    if first is None:
        raise ValueError(f"The data for {model.name!r} is empty.")
    return itertools.chain([first], checked)


def _serving_of(model: keras.Model) -> Serving:
    for tensor in getattr(model, "inputs", None) or ():
        if tensor.dtype == "string":
            raise ValueError(
                f"Input {tensor.name!r} of {model.name!r} takes strings, and data is read as numbers: leave "
                "the lookup, such as a TextVectorization, out of the model, and give what it returns."
            )
    return make_serving(model)


def _checked(
    serving: Serving, data: Data, batch_size: int, most: int | None
) -> Iterator[tuple[Tensors, Tensors]]:
    for x, y in batches(data, serving.own_batch_size or batch_size, serving.data_inputs(), most):
        try:
            arrays = serving.arrays(x)
        except (ValueError, TypeError) as error:
            raise type(error)(f"The data does not fit {serving.model.name!r}. {error}") from error
        values = [arrays[tensor.name] for tensor in serving.inputs]
        if len(values[0]):  # a batch without rows tells nothing
            yield keras.tree.pack_sequence_as(serving.structure, values), y


def rereadable(data: Data) -> Data:
    """The data in a form that can be read several times: what a generator yields is held in memory.

    Examples:
        >>> held = rereadable(iter([[1], [2]]))
        >>> list(held()), list(held())
        ([[1], [2]], [[1], [2]])
    """
    return functools.partial(iter, list(data)) if isinstance(data, Iterator) else data


def inputs_of(model: keras.Model, data: Data, batch_size: int = 256) -> Iterator[Tensors]:
    """Read the inputs alone, with small batches put together.

    A batch holds at least `batch_size` rows and less than twice as many, as far as the data and its shapes
    allow it, and batches that hold more already stay as they are.

    Args:
        model: A built model.
        data: As for `batches_of`.
        batch_size: Rows that can run at once.

    Raises:
        ValueError: The data is empty or endless, or does not fit the model.
        TypeError: Its type does not fit.

    Examples:
        >>> import numpy as np
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
        >>> [len(x) for x in inputs_of(model, iter([np.zeros((8, 4))] * 10), batch_size=32)]
        [32, 32, 16]
    """
    fixed = _serving_of(model).own_batch_size is not None
    held: list[Tensors] = []
    rest: list[Tensors] = []  # after those held, and not yet enough for a batch of their own
    for x, _ in batches_of(model, data, batch_size):
        if held and (fixed or _shapes(held[0]) != _shapes(x)):
            yield _joined([*held, *rest])
            held, rest = [], []
        (rest if _rows(held) >= batch_size else held).append(x)
        if _rows(rest) >= batch_size:
            yield _joined(held)
            held, rest = rest, []
    if 2 * _rows(rest) >= batch_size:
        yield _joined(held)
        held, rest = rest, []
    yield _joined([*held, *rest])


def _rows(parts: list[Tensors]) -> int:
    return sum(len(keras.tree.flatten(part)[0]) for part in parts)


def _shapes(x: Tensors) -> list[tuple[int, ...]]:
    return [array.shape[1:] for array in keras.tree.flatten(x)]


def _joined(parts: list[Tensors]) -> Tensors:
    if len(parts) == 1:
        return parts[0]
    return keras.tree.map_structure(lambda *arrays: np.concatenate(arrays), *parts)
