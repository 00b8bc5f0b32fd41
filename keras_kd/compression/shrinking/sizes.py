"""The size of a model by the numbers of channels that its groups keep, without making it."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import keras
import numpy as np

from keras_kd.compression.costs.multiply_adds import Use, multiply_adds, uses
from keras_kd.compression.shrinking.channels import Channels
from keras_kd.compression.shrinking.groups import Group
from keras_kd.graphs import Graph

MEASURES = ("channels", "parameters", "macs", "bytes")


class Sizes:
    """Sizes of a followed model as its groups lose channels.

    Args:
        channels: Of the model.
        groups: Those that may lose some.
        graph: The graph of the model for one size of its inputs; by default, sizes that it leaves free count
            as 1.
    """

    def __init__(self, channels: Channels, groups: Sequence[Group], graph: Graph | None = None) -> None:
        self.channels, self.groups, self.graph = channels, groups, graph or channels.graph
        calls = channels.graph.calls
        owners = {id(v): v for call in calls for v in getattr(call.operation, "variables", ())}
        self.variables = [v for v in owners.values() if "seed" not in v.path]
        self._known: dict[tuple[int, int], tuple[int, np.ndarray]] = {}

    @functools.cached_property
    def uses(self) -> list[Use]:
        """What the model multiplies its weights with, and how often."""
        graph = self.graph
        return [use for call in graph.calls for use in uses(call, graph)]

    @functools.cached_property
    def products(self) -> int:
        """The multiply-adds without weights (`x @ y`); those that go with lost channels are still counted."""
        graph = self.graph
        everything = sum(multiply_adds(call, graph) for call in graph.calls)
        return everything - sum(use.multiply_adds() for use in self.uses)

    def full(self, measure: str) -> float:
        """The size of the whole model."""
        return self.measure(measure, [len(group.classes) for group in self.groups])

    def measure(self, measure: str, counts: Sequence[int]) -> float:
        """The size of the model with so many channels of each group: `"channels"`, `"parameters"`, ..."""
        if measure == "channels":
            return float(sum(counts))
        kept = np.asarray(counts)
        if measure == "macs":
            own = sum(use.times * self._product(use.variable, kept, use.axes) for use in self.uses)
            return float(self.products + own)
        each = [self._product(variable, kept, None) for variable in self.variables]
        if measure == "parameters":
            return float(sum(each))
        widths = [keras.backend.standardize_dtype(variable.dtype) for variable in self.variables]
        return float(sum(n * _bytes(width) for n, width in zip(each, widths, strict=True)))

    def _product(self, variable: keras.Variable, kept: np.ndarray, axes: tuple[int, ...] | None) -> int:
        product = 1
        for axis in range(len(variable.shape)) if axes is None else axes:
            fixed, repeats = self._axis(variable, axis % len(variable.shape))
            product *= fixed + int(repeats @ kept)
        return product

    def _axis(self, variable: keras.Variable, axis: int) -> tuple[int, np.ndarray]:
        """How many elements of an axis are kept in any case, and how many each channel of a group has."""
        key = id(variable), axis
        if key not in self._known:
            found = self.channels.axes.get(key)
            repeats = np.zeros(len(self.groups), int)
            if found is not None:
                classes = self.channels.ties.classes(found.labels)
                for number, group in enumerate(self.groups):
                    repeats[number] = np.isin(classes, group.classes[:1]).sum()
            removable = int(repeats @ [len(group.classes) for group in self.groups])
            self._known[key] = variable.shape[axis] - removable, repeats
        return self._known[key]


def _bytes(dtype: str) -> int:
    return 2 if dtype == "bfloat16" else np.dtype(dtype).itemsize
