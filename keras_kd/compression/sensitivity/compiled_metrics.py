"""The metrics with which a model was compiled."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from keras_kd.deployment.scoring.metrics import MetricLike


def compiled_metrics(model: keras.Model, outputs: Sequence[str]) -> Mapping[str, MetricLike]:
    """The first metric of each output that has one, by the names that `fit` takes, or in the order given.

    Args:
        model: A model, which may not be compiled.
        outputs: The names of its outputs.
    """
    config = model.get_compile_config() if model.compiled else None
    metrics = (config or {}).get("metrics")
    if isinstance(metrics, dict) and "class_name" not in metrics:
        named = metrics
    elif len(outputs) == 1:
        named = {outputs[0]: metrics}
    else:  # one list for each output
        each = metrics if isinstance(metrics, (list, tuple)) and len(metrics) == len(outputs) else ()
        named = dict(zip(outputs, each, strict=False))
    found = {name: _first(value) for name, value in named.items()}
    return {name: metric for name, metric in found.items() if metric is not None}


def _first(metrics: Any) -> MetricLike | None:
    if isinstance(metrics, (list, tuple)):
        return _first(metrics[0]) if metrics else None
    if not isinstance(metrics, dict):
        return metrics
    try:
        return keras.saving.deserialize_keras_object(metrics)
    except (ValueError, TypeError):  # of a class that is not registered
        return None
