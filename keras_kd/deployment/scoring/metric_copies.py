"""Copies of Keras metrics that count on their own, whatever a metric of one's own keeps its state in."""

from __future__ import annotations

import copy
from typing import Any

import keras

from keras_kd.legacy import is_layer


def copy_metric(metric: keras.metrics.Metric) -> keras.metrics.Metric | None:
    """A metric with the same state, which shares none of it; `None` if there is no safe way to make one.

    Args:
        metric: a metric of Keras 3 or tf_keras, or anything with their methods.
    """
    try:
        if isinstance(metric, keras.metrics.Metric):
            return _copied(metric)
        # tf_keras copies by the configuration, which is whole in its own classes.
        return copy.deepcopy(metric) if type(metric).__module__.startswith("tf_keras.") else None
    except Exception:  # what a metric of one's own holds, such as a lock or an open file, may have no copy
        return None


def _copied(metric: keras.metrics.Metric) -> keras.metrics.Metric:
    """Copy every attribute; Keras's own deep copy goes by the configuration, and loses what is not in it."""
    metrics: dict[int, keras.metrics.Metric] = {}
    layers: dict[int, Any] = {}  # these compute features, and hold no state of the metric
    _collect(metric, metrics, layers)
    copies = {number: object.__new__(type(each)) for number, each in metrics.items()}
    memo = {**layers, **copies}
    for number, each in metrics.items():
        # Not by setattr, which would have Keras track each of them once more.
        vars(copies[number]).update({key: copy.deepcopy(value, memo) for key, value in vars(each).items()})
    return copies[id(metric)]


def _collect(
    metric: keras.metrics.Metric, metrics: dict[int, keras.metrics.Metric], layers: dict[int, Any]
) -> None:
    metrics[id(metric)] = metric
    for part in keras.tree.flatten(list(vars(metric).values())):
        if is_layer(part):
            layers[id(part)] = part
        elif isinstance(part, keras.metrics.Metric) and id(part) not in metrics:
            _collect(part, metrics, layers)
