"""How important each channel is, from the weights that make it or from data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from keras_kd.compression.data import Data, batches_of
from keras_kd.compression.shrinking.activations import mean_magnitudes
from keras_kd.compression.shrinking.channels import Axis, Channels, Role
from keras_kd.compression.shrinking.groups import Group
from keras_kd.messages import did_you_mean
from keras_kd.tensors import Tensors

# For each layer that makes the channels of a group its weights, `(channels, weights of each)`.
Scores: TypeAlias = list[np.ndarray]
Importance: TypeAlias = str | Callable[[Sequence[np.ndarray]], np.ndarray]
Loss: TypeAlias = Callable[[Tensors, Tensors], Tensors]

OF_WEIGHTS = ("l1", "l2", "batch_norm")
OF_DATA = ("taylor", "activation")


def check_importance(
    importance: Importance, data: Data | None, loss: Loss | None, model: keras.Model
) -> None:
    """Raise a `ValueError` for an importance that does not exist, or that lacks data or a loss."""
    known = [*OF_WEIGHTS, *OF_DATA]
    if callable(importance):
        return
    if importance not in known:
        hint = did_you_mean(str(importance), known) or f" Expected one of {', '.join(map(repr, known))}."
        raise ValueError(f"There is no importance {importance!r}.{hint} Or give a function.")
    if importance == "taylor" and loss is not None and not callable(loss):
        raise TypeError(
            "loss= is a function of labels and outputs, such as "
            f"keras.losses.SparseCategoricalCrossentropy(from_logits=True). Received: {loss!r}."
        )
    if importance in OF_DATA and data is None:
        raise ValueError(f"The importance {importance!r} is measured on data: give data=.")
    if importance == "taylor" and loss is None and not model.compiled:
        raise ValueError(
            "The importance 'taylor' needs the gradients of a loss: compile the model, or give loss=, such "
            "as keras.losses.SparseCategoricalCrossentropy(from_logits=True)."
        )


def score(
    model: keras.Model,
    channels: Channels,
    groups: Sequence[Group],
    importance: Importance,
    data: Data | None = None,
    loss: Loss | None = None,
) -> Scores:
    """The importance of each channel of each group; in each group they are 1 on average.

    Args:
        model: The model that was followed.
        channels: Its channels.
        groups: The groups to score.
        importance: `"l1"`, `"l2"`, `"batch_norm"`, `"taylor"`, `"activation"`, or a function that takes the
            weights of each layer that makes the channels, `(channels, weights)`, and returns `(channels,)`.
        data: For `"taylor"`, with labels, and `"activation"`.
        loss: For `"taylor"`.
    """
    scores = _scores(model, channels, groups, importance, data, loss)
    for group, own in zip(groups, scores, strict=True):
        if not np.isfinite(own).all():
            raise ValueError(
                f"What {group.layer!r} of {model.name!r} computes on this data, or its gradient, is NaN or "
                f"infinite, so its channels have no importance {importance!r}."
            )
    return scores


def _scores(
    model: keras.Model,
    channels: Channels,
    groups: Sequence[Group],
    importance: Importance,
    data: Data | None,
    loss: Loss | None,
) -> Scores:
    if importance == "activation":
        assert data is not None
        magnitudes = mean_magnitudes(model, channels, batches_of(model, data))
        means = [magnitudes.of(group) for group in groups]
        return [
            _of_weights(channels, group, "l2") if mean is None else _normalized([mean])
            for group, mean in zip(groups, means, strict=True)
        ]
    if importance == "taylor":
        assert data is not None
        assert loss is not None
        return _taylor(model, channels, groups, data, loss)
    return [_of_weights(channels, group, importance) for group in groups]


def _of_weights(channels: Channels, group: Group, importance: Importance) -> np.ndarray:
    if importance == "batch_norm":
        scales = [axis for axis in group.axes if _is_scale(channels, axis)]
        if scales:  # other groups have none, and are scored by their kernels
            return _normalized([np.abs(by_channel(channels, group, axis)).mean(1) for axis in scales])
    kernels = [by_channel(channels, group, axis) for axis in _makers(group)]
    if callable(importance):
        scores = np.asarray(importance(kernels), "float64")
        if scores.shape != (len(group.classes),) or not np.isfinite(scores).all():
            raise ValueError(
                f"The function of the importance must return {len(group.classes)} finite numbers for the "
                f"channels of {group.layer!r}. Received: shape {scores.shape}."
            )
        return _normalized([scores])
    if importance == "l1":
        return _normalized([np.abs(kernel).mean(1) for kernel in kernels])
    return _normalized([np.sqrt(np.square(kernel).mean(1)) for kernel in kernels])


def _is_scale(channels: Channels, axis: Axis) -> bool:
    owner = channels.graph.calls_at(axis.path)[0].operation
    return isinstance(owner, layers.BatchNormalization) and axis.variable is owner.gamma


def _makers(group: Group) -> list[Axis]:
    return [axis for axis in group.axes if axis.role is Role.MAKES]


def by_channel(channels: Channels, group: Group, axis: Axis, value: np.ndarray | None = None) -> np.ndarray:
    """The elements of a weight that belong to each channel of a group, `(channels, elements)`."""
    value = np.asarray(axis.variable) if value is None else value
    classes = channels.ties.classes(axis.labels)
    places = np.flatnonzero(np.isin(classes, group.classes))
    order = places[np.argsort(classes[places], kind="stable")]
    return np.moveaxis(value, axis.axis, 0)[order].reshape(len(group.classes), -1).astype("float64")


def _normalized(scores: Sequence[np.ndarray]) -> np.ndarray:
    """The mean of several scores of the same channels, each of magnitude 1, so that groups compare."""
    parts = [_relative(score) for score in scores]
    merged = np.mean(parts, axis=0)
    # Where all are alike, as the scales of a model that was not trained, every group loses as many.
    places = np.argsort(np.argsort(-merged, kind="stable"), kind="stable")
    return merged * (1 - 1e-9 * places / len(places))


def _relative(score: np.ndarray) -> np.ndarray:
    """A score of magnitude 1 on average; ones for zeros, NaN for what is not finite."""
    mean = np.abs(score).mean()
    if not np.isfinite(mean):
        return np.full_like(score, np.nan)
    return score / mean if mean else np.ones_like(score)


def _taylor(
    model: keras.Model, channels: Channels, groups: Sequence[Group], data: Data, loss: Loss
) -> Scores:
    """The square of the first-order change of the loss without a channel, averaged over batches.

    Source: Molchanov et al. 2019, arXiv 1906.10771.
    """
    axes = [_makers(group) for group in groups]
    variables = list({id(axis.variable): axis.variable for own in axes for axis in own}.values())
    totals = [np.zeros(len(group.classes)) for group in groups]
    for x, y in batches_of(model, data):
        if y is None:
            raise ValueError("The importance 'taylor' needs labels: give data as (x, y).")
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([variable.value for variable in variables])
            predicted = model(x, training=False)
            total = loss(y, predicted)
        gradients = tape.gradient(total, [variable.value for variable in variables])
        changes = {
            id(v): np.asarray(v) * np.asarray(tf.convert_to_tensor(g))
            for v, g in zip(variables, gradients, strict=True)
            if g is not None
        }
        for i, group in enumerate(groups):
            parts = [
                by_channel(channels, group, a, changes[id(a.variable)])
                for a in axes[i]
                if id(a.variable) in changes
            ]
            totals[i] += np.square(sum(part.sum(1) for part in parts))
    return [_normalized([total]) for total in totals]
