"""A model without some of its channels: smaller layers, with the part of their weights that stays."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers

from keras_kd.compression.shrinking.channels import Channels
from keras_kd.compression.shrinking.resizing import resized
from keras_kd.compression.shrinking.rules import elementwise
from keras_kd.compression.shrinking.rules.moving import key_by_axis
from keras_kd.compression.shrinking.ties import NONE, Labels
from keras_kd.graphs import Call, Slot, copy_state, rebuild
from keras_kd.keras_internals import hidden_argument
from keras_kd.tensors import Shape


class Cut:
    """What stays of a followed graph.

    Args:
        channels: What belongs to which channel.
        removed: The classes to remove.
    """

    def __init__(self, channels: Channels, removed: np.ndarray) -> None:
        self.channels, self.removed = channels, np.setdiff1d(removed, [NONE])

    def stays(self, labels: Labels) -> np.ndarray:
        """Which elements stay."""
        return np.isin(self.channels.ties.classes(labels), self.removed, invert=True)

    def stays_along(self, slot: Slot, axis: int) -> np.ndarray:
        """Which elements of an axis of a tensor stay; of size 1 if all do."""
        stays = np.moveaxis(self.stays(self.channels.of_slots[slot]), axis, 0)
        if stays.shape[0] == 1:
            return np.ones(1, bool)
        return np.asarray(stays.reshape(stays.shape[0], -1).any(1))

    def shape(self, slot: Slot) -> Shape:
        """The shape that a tensor gets."""
        sizes = list(self.channels.graph.shape(slot))
        for axis in range(len(sizes)):
            stays = self.stays_along(slot, axis)
            if len(stays) > 1:
                sizes[axis] = int(stays.sum())
        return tuple(sizes)

    def value(self, variable: keras.Variable) -> np.ndarray:
        """The part of a weight that stays."""
        return self.part(variable, np.asarray(variable))

    def part(self, variable: keras.Variable, value: np.ndarray) -> np.ndarray:
        """The same part of an array of the weight's shape."""
        for axis in range(len(variable.shape)):
            known = self.channels.axes.get((id(variable), axis))
            if known is not None:
                value = np.compress(self.stays(known.labels), value, axis)
        return value

    def model(self, model: keras.Model, name: str | None = None) -> keras.Model:
        """The smaller model.

        Args:
            model: The model that was followed.
            name: Of the result; by default the model's.
        """
        changed = {call.operation: self._changed(call) for call in self.channels.graph.calls}
        replaced = {operation: new for operation, new in changed.items() if new is not None}
        made = rebuild(model, replaced, adapt=self._adapted, name=name)
        for operation, new in replaced.items():
            if isinstance(new, keras.layers.Layer) and isinstance(operation, keras.layers.Layer):
                copy_state(operation, new, self.value)
                _rescale_scores(operation, new)
        return made

    def _changed(self, call: Call) -> keras.Operation | None:
        """A smaller operation in place of a call's, if it has to be."""
        operation = call.operation
        if isinstance(operation, keras.layers.Layer) and operation.variables:
            shapes = {id(v): self.value(v).shape for v in operation.variables}
            if all(shapes[id(v)] == tuple(v.shape) for v in operation.variables):
                return None
            return resized(operation, shapes)
        return self._moved(call)

    def _moved(self, call: Call) -> keras.Operation | None:
        """An operation whose configuration holds sizes of its result or places in what it reads."""
        kind, result = type(call.operation).__name__, call.results[0]
        before, after = self.channels.graph.shape(result), self.shape(result)
        if kind in ("Reshape", "BroadcastTo") and before != after:
            return self._reshaped(call, before, after)
        if kind == "Split":
            return self._split(call)
        if isinstance(call.operation, layers.GroupNormalization):  # without weights
            return _regrouped(call.operation, before, after)
        return None

    def _reshaped(self, call: Call, before: Shape, after: Shape) -> keras.Operation:
        config = call.operation.get_config()
        is_layer = isinstance(call.operation, keras.layers.Layer)
        key = next(name for name in ("target_shape", "newshape", "shape") if name in config)
        sizes, start = list(config[key]), 1 if is_layer else 0
        for axis, (old, new) in enumerate(zip(before, after, strict=True)):
            if old != new and sizes[axis - start] != -1:
                sizes[axis - start] = new
        return type(call.operation)(**{**config, key: tuple(sizes)})

    def _split(self, call: Call) -> keras.Operation | None:
        config, (slot,) = call.operation.get_config(), call.reads[:1]
        shape = self.channels.graph.shape(slot)
        stays = self.stays_along(slot, config["axis"] % len(shape))
        if stays.all() or config["indices_or_sections"] == 1:
            return None
        ends, size = config["indices_or_sections"], len(stays)
        ends = range(size // ends, size, size // ends) if isinstance(ends, int) else ends
        return type(call.operation)(
            **{**config, "indices_or_sections": [int(stays[:end].sum()) for end in ends]}
        )

    def _adapted(self, call: Call, given: tuple[Any, Any]) -> tuple[Any, Any]:
        """The arguments of a call: indices, and constants that have channels."""
        opened = next(iter(self.channels.graph.calls_of(call.operation)), None)
        if opened is None or isinstance(call.operation, keras.layers.Layer):
            return given
        args, kwargs = given
        if type(call.operation).__name__ == "GetItem":
            return (args[0], self._key(opened, args[1] if len(args) > 1 else kwargs["key"])), {}
        if type(call.operation).__name__ not in elementwise.OPERATIONS:
            return given
        return keras.tree.map_structure(
            lambda leaf: self._constant(opened, leaf) if _is_constant(leaf) else leaf, (args, kwargs)
        )

    def _key(self, call: Call, key: Any) -> Any:
        slot = call.reads[0]
        found = key_by_axis(key, len(self.channels.graph.shape(slot)))
        parts = list(key) if isinstance(key, tuple) else [key]
        places = [i for i, part in enumerate(parts) if part is not None and part is not Ellipsis]
        for place, (axis, part) in zip(places, found, strict=True):
            stays = self.stays_along(slot, axis) if axis is not None else np.ones(1, bool)
            if isinstance(part, slice) and not stays.all():
                start, stop, _ = part.indices(len(stays))
                parts[place] = slice(int(stays[:start].sum()), int(stays[:stop].sum()))
        return tuple(parts)

    def _constant(self, call: Call, value: Any) -> Any:
        """The part of an array that belongs to the channels of the result that stay."""
        result, array = call.results[0], np.asarray(value)
        rank = len(self.channels.graph.shape(result))
        for axis in range(array.ndim):
            stays = self.stays_along(result, axis + rank - array.ndim)
            if array.shape[axis] == len(stays) > 1:
                array = np.compress(stays, array, axis)
        return array if array.shape != np.shape(value) else value


def _regrouped(layer: layers.GroupNormalization, before: Shape, after: Shape) -> keras.Operation | None:
    """A GroupNorm with a group for each channel, where there are fewer of them."""
    size = after[layer.axis]
    if layer.groups != before[layer.axis] or size == layer.groups:
        return None
    return type(layer).from_config({**layer.get_config(), "groups": size})


def _is_constant(leaf: object) -> bool:
    symbolic = isinstance(leaf, keras.KerasTensor)
    return not symbolic and hasattr(leaf, "shape") and hasattr(leaf, "__array__") and np.ndim(leaf) > 0


def _rescale_scores(before: keras.layers.Layer, after: keras.layers.Layer) -> None:
    """Keep the scale of attention scores, which Keras divides by the root of the size of a key."""
    setting = {layers.MultiHeadAttention: "key_dim", layers.GroupQueryAttention: "head_dim"}.get(type(before))
    if setting is None or getattr(before, setting) == getattr(after, setting):
        return
    dense = hidden_argument(after, "query_dense")
    for variable in (dense.kernel, dense.bias):
        if variable is not None:
            ratio = getattr(after, setting) / getattr(before, setting)
            variable.assign(np.asarray(variable) * np.sqrt(ratio))
