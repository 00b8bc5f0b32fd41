"""What a model does first to its inputs, as far as that tells which scale it takes them on."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from tensorflow.types.experimental import ConcreteFunction

from keras_kd.deployment.source.serving import Serving
from keras_kd.legacy import all_layers_of, keras_classes
from keras_kd.tensors import Shape

# Operations that move values, leave some out or fill up with others: the range stays.
_MOVES = [
    "BatchToSpaceND",
    "Cast",
    "DepthToSpace",
    "EnsureShape",
    "ExpandDims",
    "Identity",
    "MirrorPad",
    "Pad",
]
_MOVES += [
    "PadV2",
    "PlaceholderWithDefault",
    "Reshape",
    "ReverseV2",
    "Roll",
    "SpaceToBatchND",
    "SpaceToDepth",
]
_MOVES += ["Squeeze", "StopGradient", "Tile", "Transpose", "FakeQuantWithMinMaxVars", "ScaleAndTranslate"]
_RESIZES = ["ResizeArea", "ResizeBicubic", "ResizeBilinear", "ResizeNearestNeighbor", "CropAndResize"]
_SELECTS = ["GatherV2", "Slice", "StridedSlice", "Split", "SplitV", "Unpack"]
_JOINS = ["ConcatV2", "Pack"]
_OF_SHAPES = ["Rank", "Shape", "ShapeN", "Size"]
# Through these, a constant is still one.
_KEEPS_CONSTANT = ["Cast", "ExpandDims", "Identity", "Reshape"]
_DEEPEST = 100


@dataclass(frozen=True)
class Scale:
    """`values * factor + offset`, or a Normalization: what reads an input first and is not the same for any.

    Args:
        factor: of each channel, its mean.
        offset: likewise.
        layer: the Rescaling or Normalization that it is, if it is one.
        shape: of the values that it reads.
        is_part: whether it reads some of the channels only.
    """

    factor: float = 1.0
    offset: float = 0.0
    layer: object = None
    shape: Shape = ()
    is_part: bool = False

    @property
    def is_told(self) -> bool:
        """Whether anything happens to the values at all."""
        return (self.factor, self.offset, self.layer) != (1.0, 0.0, None)

    @property
    def is_normalization(self) -> bool:
        """Whether it is a Normalization layer."""
        return isinstance(self.layer, keras_classes("layers.Normalization"))


NOTHING = Scale()


def input_scales(served: Serving) -> dict[str, list[Scale]]:
    """What is done to each input first, by name, on each way into the model; nothing if that is unknown."""
    function = served.traced()
    if function is None:
        return {}
    walk = _Walk(function, served)
    inputs = {tensor.op.name: tensor for tensor in function.inputs}
    return {
        tensor.name: list(dict.fromkeys(walk.scales(inputs[f"input_{i}"])))
        for i, tensor in enumerate(served.inputs)
    }


class _Walk:
    """Follows the values of an input through a traced model."""

    def __init__(self, function: ConcreteFunction, served: Serving) -> None:
        self.captured = {inner.name: outer for outer, inner in function.graph.captures}
        layers = all_layers_of(served.model)
        self.rescalings = [one for one in layers if isinstance(one, keras_classes("layers.Rescaling"))]
        self.normalizations = [
            one for one in layers if isinstance(one, keras_classes("layers.Normalization"))
        ]

    def scales(self, tensor: tf.Tensor, so_far: Scale = NOTHING, depth: int = 0) -> Iterator[Scale]:
        """What happens to a tensor on each way, after what has happened so far."""
        readers = {op.name: op for op in tensor.consumers() if op.type not in _OF_SHAPES}
        for reader in readers.values() if depth < _DEEPEST else ():
            if self._keeps_range(reader, tensor):
                for result in reader.outputs:
                    selects = reader.type in _SELECTS and _channels(result) != _channels(tensor)
                    part = dataclasses.replace(so_far, is_part=True) if selects else so_far
                    yield from self.scales(result, part, depth + 1)
                continue
            scale = self._after(reader, tensor, so_far)
            if scale is not None and not scale.is_normalization:
                yield from self.scales(reader.outputs[0], scale, depth + 1)
            elif so_far.is_told:
                yield so_far
            elif scale is not None and not so_far.is_part:
                yield scale
        if not readers and so_far.is_told:
            yield so_far

    def _keeps_range(self, operation: tf.Operation, tensor: tf.Tensor) -> bool:
        names = [given.name for given in operation.inputs]
        if operation.type in _JOINS:  # with itself, as gray becomes red, green and blue
            others = [given for given in operation.inputs if given.name != tensor.name]
            return all(self._constant(other) is not None for other in others)
        if operation.type == "Split":
            return True  # its first argument is the axis
        return operation.type in (*_MOVES, *_RESIZES, *_SELECTS) and names[0] == tensor.name

    def _after(self, operation: tf.Operation, tensor: tf.Tensor, before: Scale) -> Scale | None:
        """The scale after arithmetic with a constant; `None` for all else."""
        if operation.type not in ("AddV2", "Div", "Mul", "RealDiv", "Sub"):
            return None
        first = operation.inputs[0].name == tensor.name
        constant = self._constant(operation.inputs[1 if first else 0])
        if constant is None or (not first and operation.type in ("Div", "RealDiv")):
            return None
        value = float(np.mean(constant))
        factor, offset = before.factor, before.offset
        if operation.type == "Sub" and first:
            layer = next((one for one in self.normalizations if _is_mean(one, constant)), None)
            if layer is not None:
                return Scale(layer=layer, shape=tuple(tensor.shape))
            offset -= value
        elif operation.type == "Sub":
            factor, offset = -factor, value - offset
        elif operation.type == "AddV2":
            offset += value
        else:
            ratio = value if operation.type == "Mul" else 1 / value if value else 0.0
            factor, offset = factor * ratio, offset * ratio
        layer = before.layer
        if operation.type == "Mul" and not before.is_told:
            layer = next((one for one in self.rescalings if np.isclose(np.mean(one.scale), value)), None)
        return dataclasses.replace(before, factor=factor, offset=offset, layer=layer)

    def _constant(self, tensor: tf.Tensor) -> np.ndarray | None:
        """The value of a tensor that no input and no weight changes."""
        while tensor.op.type in _KEEPS_CONSTANT:
            tensor = tensor.op.inputs[0]
        outer = self.captured.get(tensor.name)
        if outer is None:
            value = tf.get_static_value(tensor)
        else:
            value = None if outer.dtype == tf.resource else np.asarray(outer)
        return None if value is None or not np.size(value) else np.asarray(value, "float64")


def _channels(tensor: tf.Tensor) -> int | None:
    shape = tensor.shape
    return shape[-1] if shape.rank else None


def _is_mean(layer: object, constant: np.ndarray) -> bool:
    mean = getattr(layer, "mean", None)
    return mean is not None and np.array_equal(np.ravel(np.asarray(mean, "float64")), constant.ravel())
