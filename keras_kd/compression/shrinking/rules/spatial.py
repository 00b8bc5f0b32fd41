"""Pooling, padding, resizing, sums and products: operations along axes other than that of the channels."""

import numpy as np

from keras_kd.compression.shrinking.channels import Step, nothing
from keras_kd.compression.shrinking.rules.weighted import channel_axis

WINDOWS = [
    f"{kind}Pooling{rank}D"
    for kind in ("Max", "Average", "AdaptiveAverage", "AdaptiveMax")
    for rank in (1, 2, 3)
]
WINDOWS += [f"{kind}{rank}D" for kind in ("ZeroPadding", "Cropping", "UpSampling") for rank in (1, 2, 3)]
GLOBAL = [f"Global{kind}Pooling{rank}D" for kind in ("Max", "Average") for rank in (1, 2, 3)]
REDUCTIONS = [
    "Max",
    "Min",
    "Mean",
    "Sum",
    "Prod",
    "Var",
    "Std",
    "Any",
    "All",
    "Amax",
    "Amin",
    "Logsumexp",
    "Median",
]


def windows(step: Step) -> None:
    """Operations on height and width, each channel for itself."""
    axis = channel_axis(step.operation) % len(step.shapes[0])
    if step.ties.varying_axes(step.given) not in ([], [axis]):
        step.keep("its channels lie along height or width")
    step.give(step.given if step.ties.varying_axes(step.given) else nothing(step.rank))


def global_pooling(step: Step) -> None:
    """The mean or maximum over height and width."""
    axis = channel_axis(step.operation) % len(step.shapes[0])
    reduced = tuple(a for a in range(1, len(step.shapes[0])) if a != axis)
    _reduce(step, reduced, step.operation.keepdims)


def reduction(step: Step) -> None:
    """`ops.mean` and its like over some axes."""
    rank, axis = len(step.shapes[0]), getattr(step.operation, "axis", None)
    if axis is None:
        axes = tuple(range(rank))
    else:
        axes = tuple(a % rank for a in (axis if isinstance(axis, (list, tuple)) else [axis]))
    _reduce(step, axes, bool(getattr(step.operation, "keepdims", False)))


def _reduce(step: Step, axes: tuple[int, ...], keepdims: bool) -> None:
    if any(step.ties.varies(step.given, axis) for axis in axes):
        step.keep("it computes with all channels")
    labels = step.given[tuple(slice(0, 1) if a in axes else slice(None) for a in range(step.given.ndim))]
    step.give(labels if keepdims else np.squeeze(labels, axes))


def softmax(step: Step) -> None:
    """`Softmax`, as a layer or an operation, along one axis."""
    axis = getattr(step.operation, "axis", -1)
    axes = axis if isinstance(axis, (list, tuple)) else [axis]
    step.keep_others(step.call.reads[:1], "they are a mask")
    if any(step.ties.varies(step.given, a) for a in axes):
        step.keep("it computes with all channels")
    step.give(step.given)


def matrix_product(step: Step) -> None:
    """`matmul` of two tensors: what is summed over stays; rows and columns pass through."""
    if len(step.reads) < 2 or any(labels.ndim < 2 for labels in step.reads):
        step.keep("it sums over channels")
        step.give_nothing()
        return
    left, right = step.reads[:2]
    for labels, axis in ((left, -1), (right, -2)):
        if step.ties.varies(labels, axis % labels.ndim):
            step.keep("it sums over channels", [labels])
    rows, columns = step.ties.varies(left, left.ndim - 2), step.ties.varies(right, right.ndim - 1)
    if rows and columns:
        step.keep("it crosses the channels of two tensors", [left])
    rank = step.rank
    left, right = (labels.reshape((1,) * (rank - labels.ndim) + labels.shape) for labels in (left, right))
    left, right = left[..., :1], right[..., :1, :]
    heads = left[..., :1, :1], right[..., :1, :1]
    if any(step.ties.varying_axes(labels) for labels in heads):
        step.ties.tie(*heads)
    step.give(right if columns or step.ties.varying_axes(right) else left)
