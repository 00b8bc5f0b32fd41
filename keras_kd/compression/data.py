"""Data in every form that users have it in, checked against a Keras model and read batch by batch."""

import itertools
from collections.abc import Iterator

import keras

from keras_kd.deployment.data_sources import Data as Data
from keras_kd.deployment.data_sources import batches, with_an_end
from keras_kd.deployment.source.serving import Serving, make_serving
from keras_kd.tensors import Tensors


def batches_of(model: keras.Model, data: Data, batch_size: int = 256) -> Iterator[tuple[Tensors, Tensors]]:
    """Read data for a model as batches of inputs and labels.

    The first batch is read and checked at once, so that data that does not fit is refused before anything is
    computed; the others are checked as they come.

    Args:
        model: A built model.
        data: Batches of `x`, `(x, y)` or `(x, y, weights)`: a batched `tf.data.Dataset`, a
            `keras.utils.PyDataset`, a generator, any iterable, or a function that returns one. Or single
            samples in a list. Or the whole as arrays.
        batch_size: Rows per batch, for arrays and single samples.

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
    checked = _checked(make_serving(model), with_an_end(data), batch_size)
    first = next(checked, None)
    if first is None:
        raise ValueError(f"The data for {model.name!r} is empty.")
    return itertools.chain([first], checked)


def _checked(serving: Serving, data: Data, batch_size: int) -> Iterator[tuple[Tensors, Tensors]]:
    for x, y in batches(data, serving.own_batch_size or batch_size, serving.data_inputs()):
        try:
            arrays = serving.arrays(x)
        except (ValueError, TypeError) as error:
            raise type(error)(f"The data does not fit {serving.model.name!r}. {error}") from error
        values = [arrays[tensor.name] for tensor in serving.inputs]
        if len(values[0]):  # a batch without rows tells nothing
            yield keras.tree.pack_sequence_as(serving.structure, values), y
