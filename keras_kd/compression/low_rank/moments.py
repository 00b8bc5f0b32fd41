"""Second moments of what layers read, over data."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias, TypeVar

import keras
import numpy as np
import tensorflow as tf

from keras_kd.graphs import Graph, Slot, slots_in
from keras_kd.keras_internals import mask_of
from keras_kd.tensors import Tensor, Tensors

K = TypeVar("K")
Moments: TypeAlias = Mapping[str, np.ndarray]  # of what one layer reads; empty without data


class Reading(NamedTuple):
    """Tensors whose second moment is wanted.

    Attributes:
        slots: The tensors, one for each call of a layer.
        axes: Which of their axes are features.
    """

    slots: tuple[Slot, ...]
    axes: tuple[int, ...]


def second_moments(
    graph: Graph, readings: Mapping[K, Reading], batches: Iterable[Tensors]
) -> dict[K, np.ndarray]:
    """The mean of `v v^T` for each reading, where `v` is the features and a one; padding does not count.

    Args:
        graph: An opened graph.
        readings: What to measure, by any key.
        batches: Batches of inputs, in the structure of the graph's.
    """
    measured, sums = None, dict.fromkeys(readings, np.zeros(()))
    for x in batches:
        measured = measured or _compiled(graph, list(readings.values()), x)
        found = measured(keras.tree.map_structure(tf.constant, x))
        sums = {key: sums[key] + np.asarray(moment) for key, moment in zip(readings, found, strict=True)}
    return {key: total / max(total[-1, -1], 1.0) for key, total in sums.items()}


def _compiled(graph: Graph, readings: Sequence[Reading], x: Tensors) -> Callable[[Tensors], list[Tensor]]:
    """A function that runs a graph as far as is needed, and returns the sums of a batch."""
    entries = slots_in(graph.inputs)
    calls = graph.calls_between(entries, [slot for reading in readings for slot in reading.slots])

    def measure(x: Tensors) -> list[Tensor]:
        tensors = dict(zip(entries, keras.tree.flatten(x), strict=True))
        for call in calls:
            args, kwargs = keras.tree.map_structure(
                lambda leaf: tensors[leaf] if isinstance(leaf, Slot) else leaf, (call.args, call.kwargs)
            )
            results = keras.tree.flatten(call.operation(*args, **kwargs))
            tensors.update(zip(call.results, results, strict=True))
        return [
            tf.add_n([_moment(tensors[slot], reading.axes) for slot in reading.slots]) for reading in readings
        ]

    dtypes = [array.dtype for array in keras.tree.flatten(x)]
    shapes = [(None, *graph.shape(slot)[1:]) for slot in entries]
    specs = [tf.TensorSpec(shape, dtype) for shape, dtype in zip(shapes, dtypes, strict=True)]
    return tf.function(measure, autograph=False).get_concrete_function(keras.tree.pack_sequence_as(x, specs))


def _moment(tensor: Tensor, axes: tuple[int, ...]) -> Tensor:
    """The sum of `v v^T` over all that are not features."""
    mask = mask_of(tensor)
    rank = len(tensor.shape)
    features = [axis % rank for axis in axes]
    others = [axis for axis in range(rank) if axis not in features]
    moved = tf.transpose(tf.cast(tensor, "float64"), [*others, *features])
    shape = tf.shape(moved)
    rows = tf.reshape(moved, [-1, tf.reduce_prod(shape[len(others) :])])
    rows = tf.concat([rows, tf.ones_like(rows[:, :1])], axis=1)
    if mask is not None and len(mask.shape) == len(others):
        rows = rows * tf.reshape(tf.cast(mask, "float64"), [-1, 1])
    return tf.matmul(rows, rows, transpose_a=True)
