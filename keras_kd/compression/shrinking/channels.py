"""What is known of the channels of a model while its calls are followed one by one."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np

from keras_kd.compression.shrinking.ties import NONE, Labels, Ties
from keras_kd.graphs import Call, Graph, Slot, slots_in


class Role(enum.Enum):
    """What the elements of an axis of a weight do with the channels that they belong to."""

    MAKES = "makes"  # the filters of a convolution
    READS = "reads"  # what is summed over
    ALONG = "along"  # one number for each channel, such as a bias or the scale of a normalization


class Axis(NamedTuple):
    """An axis of a weight whose elements belong to channels.

    Attributes:
        variable: The weight.
        axis: The axis.
        role: What it does with the channels.
        path: Of the layer.
        labels: A label for each element.
        whole: Whether one element is a large part, such as a head: their number is not rounded.
    """

    variable: keras.Variable
    axis: int
    role: Role
    path: str
    labels: Labels
    whole: bool = False


class Channels:
    """The channels of every tensor and weight, as far as a graph has been followed.

    Attributes:
        graph: The graph, with its nested models opened.
        ties: What is tied to what.
        of_slots: The labels of each tensor; the batch axis counts.
        axes: Of weights, by the weight's `id` and the number of the axis.
        kept: The calls that could not be followed, by path, and why.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph, self.ties = graph, Ties()
        self.of_slots: dict[Slot, Labels] = {}
        self.axes: dict[tuple[int, int], Axis] = {}
        self.kept: dict[str, str] = {}
        for slot in slots_in(graph.inputs):
            self.of_slots[slot] = nothing(len(graph.shape(slot)))

    def vector(self, labels: Labels, axis: int, size: int, why: str) -> Labels:
        """The labels along one axis of a tensor. If they differ along others too, all of them are kept."""
        if any(other != axis % labels.ndim for other in self.ties.varying_axes(labels)):
            self.ties.keep(labels, why)
        line = np.moveaxis(labels, axis, -1).reshape(-1, labels.shape[axis])[0]
        return np.broadcast_to(line, size).copy()

    def box(self, labels: Labels) -> Labels:
        """Tie what is needed so that a tensor remains a full box when channels are removed; its labels."""
        axes = self.ties.varying_axes(labels)
        if len(axes) > 1:
            for axis in axes[:-1]:
                self.ties.tie(labels, labels.take([0], axis))
            return self.narrowed(labels)  # pooling and the like change the sizes of the other axes
        return labels

    def narrowed(self, labels: Labels) -> Labels:
        """The same labels, of size 1 along axes where they do not differ."""
        varying = self.ties.varying_axes(labels)
        index = tuple(slice(None) if axis in varying else slice(0, 1) for axis in range(labels.ndim))
        return labels[index]


class Step:
    """One call that is being followed: what it reads, and what it is found to return."""

    def __init__(self, channels: Channels, call: Call) -> None:
        self.channels, self.call, self.ties = channels, call, channels.ties
        self.operation: Any = call.operation
        self.reads = [channels.of_slots[slot] for slot in call.reads]
        self.shapes = [channels.graph.shape(slot) for slot in call.reads]
        self.result_shapes = [channels.graph.shape(slot) for slot in call.results]
        self.returns: list[Labels] = []

    @property
    def given(self) -> Labels:
        """The labels of the first tensor that it reads."""
        return self.reads[0]

    @property
    def _has_kernels(self) -> bool:
        return any(len(variable.shape) > 1 for variable in getattr(self.operation, "variables", ()))

    @property
    def rank(self) -> int:
        """The number of axes of its first result."""
        return len(self.result_shapes[0])

    def along(self, axis: int, size: int, labels: Labels | None = None) -> Labels:
        """The labels along one axis of what it reads."""
        why = f"is read by {self.call.path!r} along several axes"
        return self.channels.vector(self.given if labels is None else labels, axis, size, why)

    def axis(
        self, variable: keras.Variable | None, axis: int, role: Role, labels: Labels, whole: bool = False
    ) -> None:
        """Say to which channels the elements of an axis of a weight belong."""
        if variable is None:
            return
        key = id(variable), axis % len(variable.shape)
        known = self.channels.axes.get(key)
        if known is None:
            self.channels.axes[key] = Axis(variable, key[1], role, self.call.path, labels, whole)
        else:
            self.ties.tie(known.labels, labels)

    def made(
        self, variable: keras.Variable, axis: int, count: int, repeats: int = 1, whole: bool = False
    ) -> Labels:
        """The labels of the channels that an axis of a weight makes: new ones at the first call of a layer.

        Args:
            variable: The weight.
            axis: The axis, of `repeats * count` elements.
            count: How many channels it makes.
            repeats: How many times they follow one another along the axis, as the gates of an LSTM.
            whole: Whether one element is a large part, such as a head.
        """
        known = self.channels.axes.get((id(variable), axis % len(variable.shape)))
        labels = self.ties.fresh(count) if known is None else known.labels[:count]
        if known is None:
            self.axis(variable, axis, Role.MAKES, np.tile(labels, repeats), whole)
        return labels

    def keep(self, why: str, labels: Iterable[Labels] | None = None) -> None:
        """Keep all channels that it reads, and remember why."""
        given = [
            labels for labels in (self.reads if labels is None else labels) if self.ties.classes(labels).any()
        ]
        # Without channels to keep, what has kernels is named nevertheless: one could expect it to be shrunk.
        if given or (labels is None and self._has_kernels):
            self.channels.kept.setdefault(self.call.path, why)
        for one in given:
            self.ties.keep(one, f"is read by {self.call.path!r}: {why}")

    def keep_others(self, used: Iterable[Slot], why: str) -> None:
        """Keep all channels of what it reads besides some tensors."""
        rest = set(self.call.reads) - set(used)
        self.keep(why, [self.channels.of_slots[slot] for slot in self.call.reads if slot in rest])

    def give(self, *results: Labels) -> None:
        """Say which channels its results have."""
        self.returns = [self.channels.box(labels) for labels in results]

    def give_nothing(self) -> None:
        """Say that its results have no channels that could be removed."""
        self.give(*(nothing(len(shape)) for shape in self.result_shapes))


def nothing(rank: int) -> Labels:
    """The labels of a tensor without channels."""
    return np.full((1,) * rank, NONE)


def placed(vector: Labels, axis: int, rank: int) -> Labels:
    """Labels along one axis of a tensor of a rank."""
    shape = [1] * rank
    shape[axis] = len(vector)
    return vector.reshape(shape)


def repeated(vector: Labels, sizes: Sequence[int], axis: int) -> Labels:
    """Labels along one of several axes of sizes, as labels of the axis that is made by joining them."""
    return np.broadcast_to(placed(vector, axis, len(sizes)), sizes).ravel()
