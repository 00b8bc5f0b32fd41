"""Pooling, padding, resizing, sums: operations along axes other than that of the channels."""

import numpy as np

from keras_kd.compression.shrinking.channels import Step, nothing
from keras_kd.compression.shrinking.rules.weighted import channel_axis
from keras_kd.graphs import Slot

WINDOWS = [
    f"{kind}Pooling{rank}D"
    for kind in ("Max", "Average", "AdaptiveAverage", "AdaptiveMax")
    for rank in (1, 2, 3)
]
WINDOWS += [f"{kind}{rank}D" for kind in ("ZeroPadding", "Cropping", "UpSampling") for rank in (1, 2, 3)]
WINDOWS += [
    "CenterCrop",
    "RandomCrop",
    "RandomElasticTransform",
    "RandomFlip",
    "RandomPerspective",
    "RandomRotation",
    "RandomShear",
    "RandomTranslation",
    "RandomZoom",
    "Resizing",
]
WINDOW_OPERATIONS = ["AveragePool", "MaxPool", "Resize"]
GLOBAL = [f"Global{kind}Pooling{rank}D" for kind in ("Max", "Average") for rank in (1, 2, 3)]
REDUCTIONS = [
    "Argmax",
    "Argmin",
    "CountNonzero",
    "Nanmax",
    "Nanmean",
    "Nanmedian",
    "Nanmin",
    "Nanprod",
    "Nanstd",
    "Nansum",
    "Nanvar",
    "Norm",
    "Ptp",
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


def average(step: Step) -> None:
    """`average` over an axis; weights have the shape of what is averaged."""
    if len([leaf for leaf in (*step.call.args, *step.call.kwargs.values()) if leaf is not None]) > 1:
        step.keep("it is averaged with weights")
        step.give_nothing()
    else:
        reduction(step)


def _reduce(step: Step, axes: tuple[int, ...], keepdims: bool) -> None:
    if any(step.ties.varies(step.given, axis) for axis in axes):
        step.keep("it computes with all channels")
    labels = step.given[tuple(slice(0, 1) if a in axes else slice(None) for a in range(step.given.ndim))]
    step.give(labels if keepdims else np.squeeze(labels, axes))


ALONG = ["Argsort", "Cumprod", "Cumsum", "Diff", "LogSoftmax", "Roll", "Softmax", "Sort"]


def along(step: Step) -> None:
    """`Softmax`, as a layer or an operation, `cumsum` and others that compute along one axis, or of all."""
    axis = getattr(step.operation, "axis", -1)
    axes = axis if isinstance(axis, (list, tuple)) else [axis]
    step.keep_others(step.call.reads[:1], "they are a mask")
    if axis is None or any(step.ties.varies(step.given, a) for a in axes):
        step.keep("it computes with all channels")
        step.give_nothing()
    else:
        step.give(step.given)


def padded(step: Step) -> None:
    """`pad`: the channels themselves stay as many."""
    rank, widths = len(step.shapes[0]), step.operation.pad_width
    widths = list(widths) * (rank if len(widths) == 1 else 1)
    if any(any(widths[axis]) for axis in step.ties.varying_axes(step.given)):
        step.keep("it pads channels")
        step.give_nothing()
        return
    step.keep_others(step.call.reads[:1], "they are what it pads with")
    step.give(step.given)


def taken(step: Step) -> None:
    """`take`: steps or rows by their numbers, with all of their channels."""
    rank, axis = len(step.shapes[0]), step.operation.axis
    step.keep_others(step.call.reads[:1], "they are places")
    varying = step.ties.varying_axes(step.given)
    if axis is None or axis % rank in varying or not isinstance(step.call.args[0], Slot):
        step.keep("it takes single channels")
        step.give_nothing()
        return
    shape = list(step.given.shape)
    shape[axis % rank : axis % rank + 1] = [1] * (step.rank - rank + 1)
    step.give(step.given.take([0], axis).reshape(shape))
