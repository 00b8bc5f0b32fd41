"""The labels, the metric and the loss of each output, by the names that a file or Keras has for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np

from keras_kd.deployment.scoring.metrics import MetricLike
from keras_kd.deployment.tensor_details import unknown_name
from keras_kd.deployment.tensor_names import output_names, symbolic_outputs
from keras_kd.legacy import KerasModel
from keras_kd.messages import did_you_mean
from keras_kd.tensors import Tensor, Tensors

Value = TypeVar("Value")

NO_LABELS = "the data has no labels"


def keras_names(model: KerasModel, outputs: Sequence[str] | None = None) -> dict[str, str]:
    """The names that `fit` and `evaluate` take, such as `"dense_1"` -> the name of the output in files.

    Args:
        model: a model.
        outputs: its outputs, if it has been run; a subclassed model tells nothing before.
    """
    theirs = list(getattr(model, "output_names", None) or ())
    ours = output_names(model, symbolic_outputs(model)) if outputs is None else outputs
    if len(theirs) != len(ours):
        return {}
    # A layer that returns several outputs, or is called twice, names none of them.
    return {name: own for name, own in zip(theirs, ours, strict=True) if theirs.count(name) == 1}


def common_names(models: Sequence[KerasModel]) -> dict[str, str]:
    """`keras_names` of several models, without names that mean another output in another of them."""
    found = [keras_names(model) for model in models]
    return {
        name: own
        for names in found
        for name, own in names.items()
        if all(other.get(name, own) == own for other in found)
    }


def own_names(named: Mapping[str, Value], names: Mapping[str, str]) -> dict[str, Value]:
    """The same by the names of files, whichever of the names were used.

    Args:
        named: something for each output, or some of them.
        names: Keras's names -> those of files.

    Raises:
        ValueError: if an output is named twice.
    """
    ours = set(names.values())
    # Keras's names may be those of other outputs in the file: all of them together are meant.
    all_theirs = named.keys() == names.keys() and not named.keys() <= ours
    given: dict[str, str] = {}
    for name in named:
        own = name if name in ours and not all_theirs else names.get(name, name)
        if own in given:
            raise ValueError(f"An output is given twice: as {given[own]!r} and {name!r}.")
        given[own] = name
    return {own: named[name] for own, name in given.items()}


def own_labels(
    labels: Tensors, names: Mapping[str, str], metric: MetricLike | Mapping[str, MetricLike] | None = None
) -> Tensors:
    """Labels by the names of files, if they are a dict, or one array for the only output that a metric names.

    Args:
        labels: the labels of a batch.
        names: Keras's names -> those of files.
        metric: the metric of each output, or of all.
    """
    if isinstance(metric, Mapping) and len(metric) == 1 and _arrays(labels) == 1:
        labels = {next(iter(metric)): labels}
    return own_names(labels, names) if isinstance(labels, dict) else labels


def labels_by_name(labels: Tensors, outputs: Sequence[str]) -> dict[str, Tensor]:
    """The labels of each output that has some: from a dict, from a list in order, or those of the only one.

    Raises:
        ValueError: for the name of an output that there is not.
    """
    names = list(outputs)
    if isinstance(labels, dict):
        if len(names) == len(labels) == 1:
            return {names[0]: next(iter(labels.values()))}
        for name in labels:
            if name not in names:
                raise ValueError(f"Labels: {unknown_name(name, names)}")
        return labels
    if labels is None:
        return {}
    if isinstance(labels, (list, tuple)) and len(labels) == len(names) > 1:
        return dict(zip(names, labels, strict=True))
    return {names[0]: np.asarray(labels)} if len(names) == 1 else {}


def why_without(labels: Tensors, outputs: Sequence[str]) -> str:
    """Why `labels_by_name` has none for an output."""
    arrays, names = _arrays(labels), list(outputs)
    if arrays is None and len(names) > 1:
        return f"{NO_LABELS} of this output"
    if arrays in (None, 0, len(names)):
        return NO_LABELS
    received = "one array" if arrays == 1 else f"{arrays} arrays"
    return (
        f"the labels are {received} for {len(names)} outputs (pass a dict by their names {names}, or a list "
        "of one array for each)"
    )


def _arrays(labels: Tensors) -> int | None:
    """How many arrays of labels there are; a list of numbers is one. `None` for those by name."""
    if isinstance(labels, dict):
        return None
    if isinstance(labels, (list, tuple)) and any(hasattr(part, "shape") for part in labels):
        return len(labels)
    return 0 if labels is None else 1


def metric_of_each(
    metric: MetricLike | Mapping[str, MetricLike] | None,
    outputs: Sequence[str],
    names: Mapping[str, str] | None = None,
) -> dict[str, MetricLike | None]:
    """The metric of each output: one for all, or a dict by their names.

    Args:
        metric: the metric, or a dict.
        outputs: the names of outputs.
        names: Keras's names -> these.

    Raises:
        ValueError: for the name of an output that there is not.
    """
    if not isinstance(metric, Mapping):
        return dict.fromkeys(outputs, metric)
    metric = own_names(metric, names or {})
    for name in metric:
        if name not in outputs:
            raise ValueError(
                f"metric names the output {name!r}; the outputs are {list(outputs)}."
                f"{did_you_mean(name, outputs)}"
            )
    return {name: metric.get(name) for name in outputs}
