"""Operations that only move elements: they are run on the labels themselves."""

from typing import Any

import keras
import numpy as np

from keras_kd.compression.shrinking.channels import Step
from keras_kd.compression.shrinking.ties import NONE, Labels
from keras_kd.graphs import Slot

OPERATIONS = [
    "Append",
    "BroadcastTo",
    "Concatenate",
    "DepthToSpace",
    "Dstack",
    "ExpandDims",
    "Flip",
    "Fliplr",
    "GetItem",
    "Hstack",
    "Moveaxis",
    "Ravel",
    "Repeat",
    "Reshape",
    "Rot90",
    "SpaceToDepth",
    "Split",
    "Squeeze",
    "Stack",
    "Swapaxes",
    "Tile",
    "Transpose",
    "Unstack",
]
LAYERS = ["Concatenate", "Flatten", "Permute", "RepeatVector", "Reshape"]
_ANY_SIZE = 4  # stands for sizes that are not known, such as the length of a sequence


def moving(step: Step) -> None:
    """Reshape, transpose, concatenate, slice, split: the labels go where the elements go."""
    if not any(step.ties.varying_axes(labels) for labels in step.reads):
        for labels in step.reads:  # e.g. one channel; it stays
            step.keep("all of its channels are tied together", [labels])
        step.give_nothing()
        return
    why = _unclear(step)
    if why is not None:
        step.keep(why)
        step.give_nothing()
        return
    full = dict(zip(step.call.reads, map(_spread, step.reads, step.shapes), strict=True))
    filled = keras.tree.map_structure(
        lambda leaf: full[leaf] if isinstance(leaf, Slot) else _without_values(leaf),
        (step.call.args, step.call.kwargs),
    )
    try:
        results = keras.tree.flatten(step.operation.call(*filled[0], **filled[1]))
    except Exception:  # what reckons with the number of samples cannot be done for one
        results = []
    moved = [np.asarray(result, np.int64) for result in results]
    ranks = [labels.ndim for labels in moved if labels.size]
    if ranks != [len(shape) for shape in step.result_shapes]:
        step.keep("it cannot be followed for one sample, or returns nothing of it")
        step.give_nothing()
        return
    step.give(*map(step.channels.narrowed, moved))


def _spread(labels: Labels, shape: tuple[int | None, ...]) -> Labels:
    sizes = [1 if axis == 0 else size or _ANY_SIZE for axis, size in enumerate(shape)]
    sizes = [max(size, have) for size, have in zip(sizes, labels.shape, strict=True)]
    return np.broadcast_to(labels, sizes).astype("int32")


def _without_values(leaf: Any) -> Any:
    """Arrays beside tensors belong to no channel."""
    if isinstance(leaf, np.ndarray) or keras.ops.is_tensor(leaf):
        return np.full(tuple(leaf.shape), NONE, "int32")
    return leaf


def _unclear(step: Step) -> str | None:
    """Why the arguments cannot be brought to fewer channels."""
    kind = type(step.operation).__name__
    if kind == "GetItem":
        return _unclear_key(step)
    if kind == "RepeatVector" or kind == "Ravel":
        return None
    if kind == "Unstack" and step.ties.varies(step.given, step.operation.axis % len(step.shapes[0])):
        return "it takes single channels"
    if kind == "Repeat" and (step.operation.axis is None or not isinstance(step.operation.repeats, int)):
        return "it repeats single channels"
    static = [step.shapes[0][axis] for axis in step.ties.varying_axes(step.given)]
    return "the number of its channels is not known" if None in static else None


def _unclear_key(step: Step) -> str | None:
    for axis, part in key_by_axis(
        step.call.args[1] if len(step.call.args) > 1 else step.call.kwargs["key"], len(step.shapes[0])
    ):
        plain = (
            isinstance(part, slice)
            and part.step in (None, 1)
            and not any(isinstance(end, Slot) for end in (part.start, part.stop))
        )
        if not plain and (axis is None or step.ties.varies(step.given, axis)):
            return "it takes single channels or every n-th one"
        if not plain and axis == 0:
            return "it takes single samples"
    return None


def key_by_axis(key: object, rank: int) -> list[tuple[int | None, object]]:
    """The parts of an index with the axes they stand for; the axis is `None` for what is not followed.

    Examples:
        >>> key_by_axis((..., slice(0, 2)), 3)
        [(2, slice(0, 2, None))]
    """
    parts = list(key) if isinstance(key, tuple) else [key]
    used = sum(part is not None and part is not Ellipsis for part in parts)
    axis, found = 0, []
    for part in parts:
        if part is Ellipsis:
            axis += rank - used
        elif part is not None:
            simple = isinstance(part, (int, slice))
            found.append((axis if simple else None, part))
            axis += 1
    return found
