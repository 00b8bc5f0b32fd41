"""Second moments of what layers read, over data."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, TypeAlias, TypeVar

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
    graph: Graph, readings: Mapping[K, Reading], batches: Iterable[tuple[Tensors, Any]]
) -> dict[K, np.ndarray]:
    """The mean of `v v^T` for each reading, where `v` is the features and a one; padding does not count.

    Args:
        graph: An opened graph.
        readings: What to measure, by any key.
        batches: Batches `(x, y)` of data, where `x` has the structure of the graph's inputs.
    """
    keys = list(readings)
    needed = [slot for reading in readings.values() for slot in reading.slots]
    calls = graph.calls_between(slots_in(graph.inputs), needed)

    @tf.function(reduce_retracing=True)
    def measure(x: Tensors) -> list[Tensor]:
        tensors = dict(zip(slots_in(graph.inputs), keras.tree.flatten(x), strict=True))
        for call in calls:
            args, kwargs = keras.tree.map_structure(
                lambda leaf: tensors[leaf] if isinstance(leaf, Slot) else leaf, (call.args, call.kwargs)
            )
            results = keras.tree.flatten(call.operation(*args, **kwargs))
            tensors.update(zip(call.results, results, strict=True))
        return [
            tf.add_n([_moment(tensors[slot], reading.axes) for slot in reading.slots])
            for reading in readings.values()
        ]

    sums: list[np.ndarray] = []
    for x, _ in batches:
        found = [np.asarray(moment) for moment in measure(x)]
        sums = [a + b for a, b in zip(sums, found, strict=True)] if sums else found
    return {key: total / max(total[-1, -1], 1.0) for key, total in zip(keys, sums, strict=True)}


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
