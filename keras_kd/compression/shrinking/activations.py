"""How large what the layers of a model read is, channel by channel, on data."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from keras_kd.compression.shrinking.channels import Channels, Role
from keras_kd.compression.shrinking.groups import Group
from keras_kd.compression.shrinking.ties import Labels
from keras_kd.graphs import Call, Graph, Slot, slots_in
from keras_kd.keras_internals import attach_mask, mask_of, takes_training
from keras_kd.tensors import Tensors


class Choice(NamedTuple):
    """A tensor that is passed on, with its mask, or another one of the same shape in its place.

    Attributes:
        stays: Whether it is, a scalar.
        other: What is passed on if it is not.
    """

    stays: tf.Tensor
    other: Slot

    def of(self, value: tf.Tensor, values: Mapping[Slot, Any]) -> tf.Tensor:
        """What is passed on in place of a value."""
        chosen, mask = tf.where(self.stays, value, values[self.other]), mask_of(value)
        if mask is not None:
            attach_mask(chosen, mask)
        return chosen


class Magnitudes:
    """The mean magnitude of each channel, by class."""

    def __init__(self) -> None:
        self.sums: dict[int, float] = {}
        self.counts: dict[int, int] = {}

    def add(self, classes: np.ndarray, values: np.ndarray, rows: int) -> None:
        """Count the means of some channels over some rows in."""
        for one, value in zip(classes.tolist(), values.tolist(), strict=True):
            self.sums[one] = self.sums.get(one, 0.0) + value * rows
            self.counts[one] = self.counts.get(one, 0) + rows

    def of(self, group: Group) -> np.ndarray | None:
        """The means of the channels of a group; `None` for those inside of layers, such as heads."""
        classes = group.classes.tolist()
        if not self.counts.keys() >= set(classes):
            return None
        return np.array([self.sums[one] / self.counts[one] for one in classes])


def mean_magnitudes(
    model: keras.Model, channels: Channels, batches: Iterator[tuple[Tensors, Tensors]]
) -> Magnitudes:
    """The mean of the absolute values that reach the layers which read them, for each channel.

    Source: Hu et al. 2016, arXiv 1607.03250, who count zeros.
    """
    readers = {axis.path for axis in channels.axes.values() if axis.role is Role.READS}
    read = [slot for call in channels.graph.calls if call.path in readers for slot in call.reads]
    wanted = [slot for slot in dict.fromkeys(read) if channels.ties.varying_axes(channels.of_slots[slot])]

    @tf.function(reduce_retracing=True)
    def measure(inputs: Tensors) -> list[tf.Tensor]:
        found = values_of(channels.graph, inputs, wanted)
        return [
            tf.reduce_mean(
                tf.abs(tf.cast(found[slot], "float32")), _others(channels, channels.of_slots[slot])
            )
            for slot in wanted
        ]

    magnitudes = Magnitudes()
    for x, _ in batches:
        rows = len(keras.tree.flatten(x)[0])
        for slot, values in zip(wanted, measure(x), strict=True):
            labels = channels.of_slots[slot]
            magnitudes.add(channels.ties.classes(labels).ravel(), np.asarray(values).ravel(), rows)
    return magnitudes


def _others(channels: Channels, labels: Labels) -> list[int]:
    return [axis for axis in range(labels.ndim) if labels.shape[axis] == 1]


def values_of(
    graph: Graph, inputs: Tensors, wanted: Sequence[Slot], choices: Mapping[Slot, Choice] | None = None
) -> Mapping[Slot, Any]:
    """The values of some tensors of an opened graph, in inference.

    Args:
        graph: The graph.
        inputs: Values for its inputs.
        wanted: The tensors; what they are computed from is in the result as well.
        choices: Tensors in place of which others may be passed on.
    """
    values = dict(zip(slots_in(graph.inputs), keras.tree.flatten(inputs), strict=True))
    choices = choices or {}
    for call in graph.calls_between(list(values), wanted):
        values.update(zip(call.results, keras.tree.flatten(_called(call, values)), strict=True))
        for slot in choices.keys() & set(call.results):
            values[slot] = choices[slot].of(values[slot], values)
    return values


def _called(call: Call, values: Mapping[Slot, Any]) -> Any:
    args, kwargs = keras.tree.map_structure(
        lambda leaf: values[leaf] if isinstance(leaf, Slot) else leaf, (call.args, call.kwargs)
    )
    masks = {slot: mask_of(values[slot]) for slot in call.reads}
    extra = {"training": False} if takes_training(call.operation) else {}
    results = call.operation(*args, **{**kwargs, **extra})
    for slot, mask in masks.items():
        if mask is not None:  # attention takes it off what it reads, and others read that, too
            attach_mask(values[slot], mask)
    return results
