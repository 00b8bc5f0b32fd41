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

    def sums(self, tensor: Tensor) -> Tensor:
        """The sum of `v v^T`, where `v` is the features and a one, over all that are not features."""
        mask = mask_of(tensor)
        rank = len(tensor.shape)
        features = [axis % rank for axis in self.axes]
        others = [axis for axis in range(rank) if axis not in features]
        moved = tf.transpose(tf.cast(tensor, "float64"), [*others, *features])
        rows = tf.reshape(moved, [-1, tf.reduce_prod(tf.shape(moved)[len(others) :])])
        rows = tf.concat([rows, tf.ones_like(rows[:, :1])], axis=1)
        if mask is not None and len(mask.shape) == len(others):
            rows = rows * tf.reshape(tf.cast(mask, "float64"), [-1, 1])
        return tf.matmul(rows, rows, transpose_a=True)

    def mean(self, sums: np.ndarray) -> np.ndarray:
        """The mean of `v v^T`: the last of the sums is how many there were."""
        return sums / max(sums[-1, -1], 1.0)


class Neighbors(NamedTuple):
    """Tensors whose neighbors along an axis are compared.

    Attributes:
        slots: The tensors, one for each call of a layer.
        axis: The axis.
        size: How many neighbors a window spans.
        step: How far apart they are.
    """

    slots: tuple[Slot, ...]
    axis: int
    size: int
    step: int

    def sums(self, tensor: Tensor) -> Tensor:
        """The sums of products of values with those at each distance; there are zeros beyond the border."""
        values = tf.experimental.numpy.moveaxis(tf.cast(tensor, "float64"), self.axis, 0)
        length = tf.shape(values)[0]
        shifts = [tf.minimum(distance * self.step, length) for distance in range(self.size)]
        return tf.stack([tf.reduce_sum(values[shift:] * values[: length - shift]) for shift in shifts])

    def mean(self, sums: np.ndarray) -> np.ndarray:
        """The correlations of all pairs of places in a window."""
        correlations = sums / sums[0] if sums[0] else np.eye(self.size)[0]
        places = np.arange(self.size)
        return correlations[abs(places[:, None] - places)]


Measure: TypeAlias = Reading | Neighbors


def second_moments(
    graph: Graph, readings: Mapping[K, Measure], batches: Iterable[Tensors]
) -> dict[K, np.ndarray]:
    """The mean of what each reading sums up; steps that are padding do not count.

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
    return {key: reading.mean(sums[key]) for key, reading in readings.items()}


def _compiled(graph: Graph, readings: Sequence[Measure], x: Tensors) -> Callable[[Tensors], list[Tensor]]:
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
        return [tf.add_n([reading.sums(tensors[slot]) for slot in reading.slots]) for reading in readings]

    dtypes = [array.dtype for array in keras.tree.flatten(x)]
    shapes = [(None, *graph.shape(slot)[1:]) for slot in entries]
    specs = [tf.TensorSpec(shape, dtype) for shape, dtype in zip(shapes, dtypes, strict=True)]
    return tf.function(measure, autograph=False).get_concrete_function(keras.tree.pack_sequence_as(x, specs))
