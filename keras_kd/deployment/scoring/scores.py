"""How right several models are about one output, and how often they agree, in one pass over the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from keras_kd.deployment.scoring.accuracy import Accuracy
from keras_kd.deployment.scoring.evidence import Evidence, threshold_of
from keras_kd.deployment.scoring.metrics import ACCURACY, Measure, MetricLike
from keras_kd.deployment.scoring.named_outputs import NO_LABELS
from keras_kd.deployment.scoring.probabilities import make_measure_for
from keras_kd.deployment.scoring.tasks import Task, not_answers, possible_tasks
from keras_kd.tensors import Tensor

# What an output answers is decided from as many of its values, however small the batches are.
_TELLING = 4096


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
        self._evidence = evidence or {}
        known = {name: self._evidence_of(name) for name in self._evidence}
        self._measure = None if metric is None or self._asked else make_measure_for(metric, known)
        self._waiting: list[_Batch] = []
        self._candidates: list[_Candidate] = []
        self._thresholds: dict[str, float] = {}
        self._missing = NO_LABELS

    def add(
        self,
        labels: Tensor | None,
        outputs: Mapping[str, np.ndarray],
        reference: str | None,
        missing: str = NO_LABELS,
    ) -> None:
        """Count one batch.

        Args:
            labels: the labels of this output, or `None`.
            outputs: its values, for each model.
            reference: the model that the others agree with or not.
            missing: why there are no labels, if there are none.

        Raises:
            ValueError: for labels that contradict what is known of the output, or none for a metric.
        """
        self._missing = missing
        if self._measure:
            self._add_to_measure(self._measure, labels, outputs)
        batch = _Batch(self._numbers(labels), outputs, reference)
        if not self._candidates and (not self._waiting or batch.shapes == self._waiting[0].shapes):
            self._waiting.append(batch)
            if sum(each.first.size for each in self._waiting) >= _TELLING:
                self._decide()
            return
        self._decide()
        self._count(batch)

    def _decide(self) -> None:
        """Find out what the output answers from the batches so far, unless it is known, and count them."""
        if not self._waiting:
            return
        batch, self._waiting = _joined(self._waiting), []
        known = self._known(batch.outputs)
        tasks = possible_tasks(known, batch.labels, batch.first, asked=self._asked, missing=self._missing)
        self._candidates = [_candidate(task, batch) for task in tasks]
        self._thresholds = {
            name: threshold_of(self._evidence_of(name), scores, batch.labels)
            for name, scores in batch.outputs.items()
        }
        self._count(batch)

    def _count(self, batch: _Batch) -> None:
        self._candidates = [each for each in self._candidates if self._counts(each, batch)] or [
            _candidate(Task(None, not_answers(np.asarray(batch.labels), batch.first)), batch)
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

    def _counts(self, candidate: _Candidate, batch: _Batch) -> bool:
        """Count one batch for a candidate; whether it is one still."""
        task = candidate.task
        if task.kind is None:
            return True
        try:
            truth = task.truth(batch.labels, batch.first)
        except ValueError:
            if task.certain and not self._measure:
                raise
            if not self._measure:
                return False
            truth = None  # the metric reads these labels, and only the agreement is counted
        answers = {
            name: task.answers(scores, self._thresholds[name]) for name, scores in batch.outputs.items()
        }
        for name, found in answers.items():
            assert found is not None
            reference = None if batch.reference is None else answers[batch.reference]
            candidate.accuracies[name].add(found, truth, reference)
        return True

    def _add_to_measure(
        self, measure: Measure, labels: Tensor | None, outputs: Mapping[str, np.ndarray]
    ) -> None:
        if labels is None:
            raise ValueError(
                f"metric={measure.name!r} needs labels, and {self._missing}. Of several outputs, name those "
                "that have some: metric={'NAME': ...}."
            )
        for name, values in outputs.items():
            measure.add(name, np.asarray(labels), values)

    @property
    def task(self) -> Task:
        """What the output answers."""
        self._decide()
        return self._candidates[0].task if self._candidates else Task(None)

    @property
    def metric_name(self) -> str | None:
        """What `value` is: the metric that was asked for, or `"accuracy"`; `None` if there is neither."""
        if self._measure:
            return self._measure.name
        self._decide()
        has_labels = any(a.labelled for c in self._candidates[:1] for a in c.accuracies.values())
        return "accuracy" if has_labels else None

    @property
    def why(self) -> str:
        """Why there is no accuracy, or no agreement either; empty if there is one, or another metric."""
        return "" if self._measure else self.task.why

    def note(self, model: str) -> str:
        """What a reader should know about the value of the metric; empty for nothing."""
        return self._measure.note(model) if self._measure else ""

    def accuracy(self, model: str) -> Accuracy:
        """The answers of a model, counted."""
        self._decide()
        return self._candidates[0].accuracies[model] if self._candidates else Accuracy()

    def value(self, model: str) -> float | None:
        """The value of the metric that `metric_name` names."""
        return self._measure.value(model) if self._measure else self.accuracy(model).accuracy


class _Batch(NamedTuple):
    """The labels of a batch, the outputs of all models, and the model that the others agree with or not."""

    labels: np.ndarray | None
    outputs: Mapping[str, np.ndarray]
    reference: str | None

    @property
    def first(self) -> np.ndarray:
        """The outputs of the first model, whose shape is that of all."""
        return next(iter(self.outputs.values()))

    @property
    def shapes(self) -> tuple[tuple[int, ...] | None, tuple[int, ...]]:
        """Those of a label and of an output."""
        return None if self.labels is None else self.labels.shape[1:], self.first.shape[1:]


def _joined(batches: Sequence[_Batch]) -> _Batch:
    first = batches[0]
    labels = [batch.labels for batch in batches if batch.labels is not None]
    return _Batch(
        np.concatenate(labels) if labels else None,
        {name: np.concatenate([batch.outputs[name] for batch in batches]) for name in first.outputs},
        first.reference,
    )


class _Candidate(NamedTuple):
    """A task that the output may have, and the answers counted for it."""

    task: Task
    accuracies: dict[str, Accuracy]


def _candidate(task: Task, batch: _Batch) -> _Candidate:
    single = batch.first.ndim == 1 or batch.first.shape[-1] == 1
    classes = {"classes": 0 if single else batch.first.shape[-1], "binary": 2}.get(task.kind or "", 0)
    return _Candidate(task, {name: Accuracy.of_classes(classes) for name in batch.outputs})
