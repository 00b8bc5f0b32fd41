"""How right several models are about one output, and how often they agree, in one pass over the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from keras_kd.deployment.accuracy import Accuracy
from keras_kd.deployment.evidence import Evidence, threshold_of
from keras_kd.deployment.metrics import ACCURACY, Measure, MetricLike, make_measure
from keras_kd.deployment.tasks import Task, not_answers, possible_tasks
from keras_kd.deployment.tensor_details import unknown_name
from keras_kd.messages import did_you_mean
from keras_kd.tensors import Tensor, Tensors


class Scores:
    """Running figures of one output, for each of several models.

    Args:
        metric: what to measure; `None` is the accuracy if the output has one, `"accuracy"` says that it has.
        evidence: what is known of the output, for each model.
    """

    def __init__(
        self, metric: MetricLike | None = None, evidence: Mapping[str, Evidence] | None = None
    ) -> None:
        self._asked = isinstance(metric, str) and metric.lower() in ACCURACY
        self._measure = None if metric is None or self._asked else make_measure(metric)
        self._evidence = evidence or {}
        self._candidates: list[_Candidate] = []
        self._thresholds: dict[str, float] = {}

    def add(self, labels: Tensor | None, outputs: Mapping[str, np.ndarray], reference: str | None) -> None:
        """Count one batch.

        Args:
            labels: the labels of this output, or `None`.
            outputs: its values, for each model.
            reference: the model that the others agree with or not.

        Raises:
            ValueError: for labels that contradict what is known of the output, or none for a metric.
        """
        first = next(iter(outputs.values()))
        if self._measure:
            self._add_to_measure(self._measure, labels, outputs)
        labels = self._numbers(labels)
        if not self._candidates:
            known = self._known(outputs)
            tasks = possible_tasks(known, labels, first, asked=self._asked)
            self._candidates = [_Candidate(task, {name: Accuracy() for name in outputs}) for task in tasks]
        for name in outputs.keys() - self._thresholds:
            self._thresholds[name] = threshold_of(self._evidence_of(name), outputs[name], labels)
        self._candidates = [c for c in self._candidates if self._counts(c, labels, outputs, reference)] or [
            _Candidate(Task(None, not_answers(np.asarray(labels), first)), {n: Accuracy() for n in outputs})
        ]

    def _numbers(self, labels: Tensor | None) -> np.ndarray | None:
        """Labels that can be right or wrong answers; another metric may read other ones."""
        if labels is None:
            return None
        array = np.asarray(labels)
        if array.dtype.kind in "biufV":
            return array
        if self._measure:
            return None
        raise ValueError(
            f"Labels must be numbers, such as class numbers or one-hot rows; received {array.dtype}."
        )

    def _evidence_of(self, name: str) -> Evidence:
        """What is known of a model's output; a file knows no loss, and has that of a model like it."""
        own = self._evidence.get(name, Evidence())
        alike = (each for each in self._evidence.values() if each.loss and each.activation == own.activation)
        other = own if own.loss else next(alike, own)
        return replace(own, loss=other.loss, from_logits=other.from_logits)

    def _known(self, outputs: Mapping[str, np.ndarray]) -> Evidence:
        """What is known of the output from any of the models: all of them answer the same question."""
        known = [self._evidence.get(name, Evidence()) for name in outputs]
        return Evidence(
            activation=next((each.activation for each in known if each.activation), None),
            loss=next((each.loss for each in known if each.loss), None),
            ignored=next((each.ignored for each in known if each.ignored is not None), None),
        )

    def _counts(
        self,
        candidate: _Candidate,
        labels: np.ndarray | None,
        outputs: Mapping[str, np.ndarray],
        reference: str | None,
    ) -> bool:
        """Count one batch for a candidate; whether it is one still."""
        task = candidate.task
        if task.kind is None:
            return True
        try:
            truth = task.truth(labels, next(iter(outputs.values())))
        except ValueError:
            if task.certain and not self._measure:
                raise
            if not self._measure:
                return False
            truth = None  # the metric reads these labels, and only the agreement is counted
        answers = {name: task.answers(scores, self._thresholds[name]) for name, scores in outputs.items()}
        for name, found in answers.items():
            assert found is not None
            candidate.accuracies[name].add(found, truth, None if reference is None else answers[reference])
        return True

    @staticmethod
    def _add_to_measure(measure: Measure, labels: Tensor | None, outputs: Mapping[str, np.ndarray]) -> None:
        if labels is None:
            raise ValueError(f"metric={measure.name!r} needs labels, and the data has none for this output.")
        for name, values in outputs.items():
            measure.add(name, np.asarray(labels), values)

    @property
    def task(self) -> Task:
        """What the output answers."""
        return self._candidates[0].task if self._candidates else Task(None)

    @property
    def metric_name(self) -> str | None:
        """What `value` is: the metric that was asked for, or `"accuracy"`; `None` if there is neither."""
        if self._measure:
            return self._measure.name
        has_labels = any(a.labelled for c in self._candidates[:1] for a in c.accuracies.values())
        return "accuracy" if has_labels else None

    @property
    def why(self) -> str:
        """Why there is no accuracy, or no agreement either; empty if there is one, or another metric."""
        return "" if self._measure else self.task.why

    def accuracy(self, model: str) -> Accuracy:
        """The answers of a model, counted."""
        return self._candidates[0].accuracies[model] if self._candidates else Accuracy()

    def value(self, model: str) -> float | None:
        """The value of the metric that `metric_name` names."""
        return self._measure.value(model) if self._measure else self.accuracy(model).accuracy


class _Candidate(NamedTuple):
    """A task that the output may have, and the answers counted for it."""

    task: Task
    accuracies: dict[str, Accuracy]


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


def metric_of_each(
    metric: MetricLike | Mapping[str, MetricLike] | None, outputs: Sequence[str]
) -> dict[str, MetricLike | None]:
    """The metric of each output: one for all, or a dict by their names.

    Raises:
        ValueError: for the name of an output that there is not.
    """
    if not isinstance(metric, Mapping):
        return dict.fromkeys(outputs, metric)
    for name in metric:
        if name not in outputs:
            raise ValueError(
                f"metric names the output {name!r}; the outputs are {list(outputs)}."
                f"{did_you_mean(name, outputs)}"
            )
    return {name: metric.get(name) for name in outputs}
