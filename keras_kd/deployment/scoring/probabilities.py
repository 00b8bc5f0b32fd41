"""Metrics that read probabilities: of a model that gives logits, they are told so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from keras_kd.activations import ROUNDING, in_unit_range, is_distribution
from keras_kd.deployment.scoring.evidence import Evidence
from keras_kd.deployment.scoring.metrics import Measure, MetricLike, make_measure

# Keras's classes, of those that read one score per class, and of those that read a yes or no in each score.
_OF_CLASSES = ("CategoricalCrossentropy", "SparseCategoricalCrossentropy", "KLDivergence")
_OF_ANSWERS = ("BinaryCrossentropy", "AUC")


def make_measure_for(metric: MetricLike, evidence: Mapping[str, Evidence]) -> Measure:
    """Make a running measure of a metric, which reads the outputs of each model as what they are.

    Args:
        metric: as in `make_measure`.
        evidence: what is known of the output, for each model.

    Raises:
        ValueError: for a name that Keras does not know, or a metric that needs arguments.
        TypeError: for anything else that is no metric.
    """
    measure, found = make_measure(metric), _keras_metric(metric)
    known = found is not None and type(found).__name__ in (*_OF_CLASSES, *_OF_ANSWERS)
    return _ProbabilityMeasure(found, evidence) if known else measure


def _keras_metric(metric: MetricLike) -> Any:
    """The metric of Keras or tf_keras that is meant, or `None`; a subclass reads what it pleases."""
    if isinstance(metric, str):
        return keras.metrics.get(metric)
    kind = metric if isinstance(metric, type) else type(metric)
    if kind.__module__.partition(".")[0] not in ("keras", "tf_keras"):
        return None
    return metric() if isinstance(metric, type) else metric


@dataclass
class _Seen:
    """What the values of a model have been so far."""

    negative: bool = False
    in_unit_range: bool = True
    distributions: bool = True

    def add(self, outputs: np.ndarray) -> None:
        self.negative |= bool((outputs < -ROUNDING).any())
        self.in_unit_range &= in_unit_range(outputs)
        self.distributions &= is_distribution(outputs)


class _ProbabilityMeasure(Measure):
    """A metric in two forms, for probabilities and for logits: which one counts is known in the end."""

    def __init__(self, metric: Any, evidence: Mapping[str, Evidence]) -> None:
        super().__init__(metric.name)
        config, self._evidence = metric.get_config(), evidence
        self._of_classes = type(metric).__name__ in _OF_CLASSES
        self._has_forms = "from_logits" in config
        self._given = bool(config.get("from_logits", False))
        forms = {form: {"from_logits": form} if self._has_forms else {} for form in (False, True)}
        self._forms = {
            form: make_measure(type(metric).from_config({**config, **more})) for form, more in forms.items()
        }
        self._seen: dict[str, _Seen] = {}

    def add(self, model: str, labels: np.ndarray, outputs: np.ndarray) -> None:
        self._seen.setdefault(model, _Seen()).add(outputs)
        if self._gives_logits(model) is not True:  # which no later value changes
            self._forms[False].add(model, labels, outputs)
        if self._evidence.get(model, Evidence()).activation is None:
            logits = outputs if self._has_forms else keras.ops.convert_to_numpy(keras.ops.softmax(outputs))
            self._forms[True].add(model, labels, logits)

    def value(self, model: str) -> float:
        gives_logits = self._gives_logits(model)
        return self._forms[self._given if gives_logits is None else gives_logits].value(model)

    def note(self, model: str) -> str:
        if self._gives_logits(model) is not None:
            return ""
        form = "logits" if self._given else "probabilities"
        return (
            f"{self.name} takes the outputs for {form}, and neither the model nor its values tell whether "
            "they are: no value is below 0, and they do not sum to 1"
        )

    def _gives_logits(self, model: str) -> bool | None:
        """Whether the outputs of a model are logits; `None` if that cannot be told."""
        known, seen = self._evidence.get(model, Evidence()), self._seen.get(model, _Seen())
        if known.activation is not None:
            return False
        if seen.negative:
            return True
        if known.from_logits is not None:
            return known.from_logits
        if self._of_classes:
            return False if seen.distributions else None
        return not seen.in_unit_range
