"""Counting the answers of the models and files in a comparison, in one pass over the data."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import keras
import numpy as np

from keras_kd.deployment.ranges import RangeCheck
from keras_kd.deployment.saturation import Saturations
from keras_kd.deployment.scoring.accuracy import Accuracy, Differences
from keras_kd.deployment.scoring.evidence import Evidence
from keras_kd.deployment.scoring.metrics import MetricLike
from keras_kd.deployment.scoring.named_outputs import labels_by_name, metric_of_each
from keras_kd.deployment.scoring.scores import Scores
from keras_kd.deployment.unusable import Unusable
from keras_kd.reports.errors import Errors
from keras_kd.reports.outputs import Outputs, check_finite, check_same_shapes, predict, under_names
from keras_kd.reports.subjects import Subject
from keras_kd.tensors import Tensor, Tensors

Metric: TypeAlias = MetricLike | Mapping[str, MetricLike] | None


@dataclass
class Tally:
    """The figures of one subject so far.

    Args:
        answers: Its answers, counted.
        differences: How far its outputs are from those of the model that it was made from.
        why: Why its answers, or its accuracy, cannot be counted; empty if they can.
        metric: The name of the metric that was asked for, if it is not the accuracy.
        value: The value of that metric.
        notes: What seems to be wrong.
        unusable: For how many samples an output is NaN or infinite, in words; empty for none.
        interval: The interval of that value at 95 %, where it is the mean of an error.
    """

    answers: Accuracy = field(default_factory=Accuracy)
    differences: Differences = field(default_factory=Differences)
    why: str = ""
    metric: str | None = None
    value: float | None = None
    notes: Sequence[str] = ()
    unusable: str = ""
    interval: tuple[float, float] | None = None

    @property
    def max_error(self) -> float | None:
        """The largest difference; `None` if nothing was compared."""
        return self.differences.largest if self.differences.elements else None


def count(
    subjects: Sequence[Subject],
    data: Iterable[tuple[Tensors, Tensors]],
    baseline: str | None,
    sources: Mapping[str, str],
    progress: Callable[[str], None],
    metric: Metric = None,
    class_names: Sequence[str] | None = None,
) -> tuple[dict[str, Tally], int]:
    """Run every subject on every batch.

    All of them run on a batch before the next one is read, so that even a dataset that is reshuffled whenever
    it is read gives them the same samples.

    Returns:
        A tally per subject, and the number of samples.

    Raises:
        ValueError: The data is empty, or holds NaN; a model cannot run on it, or has outputs of another shape
            than the others; there are more or fewer names than classes.
    """
    counts = _Counts(subjects, baseline, sources, metric, class_names)
    for x, y in data:
        rows = (np.shape(keras.tree.flatten(x)[0]) or (1,))[0]
        if rows == 0:
            continue
        check_finite(x)
        counts.add(x, y, rows)
        progress(f"predicted {counts.samples:,} samples with {len(subjects)} models")
    return counts.tallies(), counts.samples


class _Counts:
    """Everything that is counted of all subjects."""

    def __init__(
        self,
        subjects: Sequence[Subject],
        baseline: str | None,
        sources: Mapping[str, str],
        metric: Metric,
        class_names: Sequence[str] | None,
    ) -> None:
        self.samples = 0
        self._subjects, self._baseline, self._sources = subjects, baseline, sources
        self._metric, self._class_names = metric, class_names
        self._of_students = any(s.inputs and s.inputs.interface.keys is not None for s in subjects)
        self._answers: _Answers | None = None
        self._differences = {subject.name: Differences() for subject in subjects}
        self._unusable = {subject.name: Unusable() for subject in subjects}
        self._ranges = {subject.name: RangeCheck(subject.ranges) for subject in subjects}
        self._saturations = {subject.name: Saturations({}) for subject in subjects}

    def add(self, x: Tensors, y: Tensors, rows: int) -> None:
        """Run all subjects on one batch and count it."""
        outputs = {subject.name: predict(subject, x, self._of_students) for subject in self._subjects}
        names = list(next(iter(outputs.values())))
        if self._answers is None:
            check_same_shapes(outputs, self._baseline)
            self._answers = _Answers(self._subjects, names, self._metric)
            self._answers.check_class_names(self._class_names, outputs)
            self._saturations |= self._start_saturations(outputs, names)
        for name, source in self._sources.items():
            self._saturations[name].add(outputs[source])
        outputs = {subject: under_names(arrays, names) for subject, arrays in outputs.items()}
        self._answers.add(y, outputs, self._baseline)
        for name, source in self._sources.items():
            for output, array in outputs[name].items():
                self._differences[name].add(array, outputs[source][output])
        self._count_unusable(outputs)
        for subject in self._subjects:
            if subject.ranges and subject.inputs:
                self._ranges[subject.name].add(subject.inputs.interface.matched(x))
        self.samples += rows

    def tallies(self) -> dict[str, Tally]:
        """The figures of each subject."""
        if self._answers is None:
            raise ValueError("The data is empty: pass at least one sample.")
        # Inputs that are cut off explain outputs that are.
        notes = {
            name: [*found.notes(), *([] if found.are_cut_off() else self._saturations[name].notes())]
            for name, found in self._ranges.items()
        }
        return {
            name: replace(
                self._answers.tally(name, differences, notes[name]),
                unusable=str(self._unusable[name]),
            )
            for name, differences in self._differences.items()
        }

    def _start_saturations(
        self, outputs: Mapping[str, Outputs], names: Sequence[str]
    ) -> dict[str, Saturations]:
        """Those of each file with a source: paired as its figures are, under the source's own names."""
        limits = {subject.name: under_names(subject.limits(), names) for subject in self._subjects}
        own = {name: under_names({key: key for key in known}, names) for name, known in outputs.items()}
        return {
            file: Saturations({own[source][name]: limits[file].get(name) for name in names})
            for file, source in self._sources.items()
        }

    def _count_unusable(self, outputs: Mapping[str, Outputs]) -> None:
        for name, arrays in outputs.items():
            source = outputs.get(self._sources.get(name, ""))
            references = None if source is None else [source[key] for key in arrays]
            self._unusable[name].add(list(arrays.values()), references)


class _Answers:
    """The answers of all subjects for the one output that a row has figures of."""

    def __init__(self, subjects: Sequence[Subject], names: Sequence[str], metric: Metric) -> None:
        metrics = metric_of_each(metric, names)
        chosen = [name for name, asked in metrics.items() if asked is not None] if metric else names
        self._names = names
        self._chosen = chosen[0] if len(chosen) == 1 else None
        self._scores = Scores()
        if self._chosen is None and metric is not None:
            raise ValueError(
                f"A row has the metric of one output, and there are {len(names)}: name one, as in "
                f"metric={{{chosen[0]!r}: ...}}. verify measures each of them."
            )
        if self._chosen is not None:
            known = {subject.name: under_names(subject.evidence(), names) for subject in subjects}
            evidence = {name: found.get(self._chosen, Evidence()) for name, found in known.items()}
            self._scores = Scores(metrics[self._chosen], evidence)
        self._errors = {subject.name: Errors(self._scores.metric_name) for subject in subjects}

    def check_class_names(self, class_names: Sequence[str] | None, outputs: Mapping[str, Outputs]) -> None:
        """Reject names that are not those of the classes, before all of the data is read."""
        if class_names is None or self._chosen is None:
            return
        shape = next(iter(outputs.values()))[self._chosen].shape
        classes = 2 if len(shape) == 1 or shape[-1] == 1 else shape[-1]
        if len(class_names) != classes:
            raise ValueError(
                f"class_names must name each of the {classes} classes, in their order. Received "
                f"{len(class_names)}: {list(class_names)[:5]}"
            )

    def add(self, y: Tensors, outputs: Mapping[str, Outputs], baseline: str | None) -> None:
        """Count one batch."""
        if self._chosen is None:
            return
        labels: Tensor | None = labels_by_name(y, self._names).get(self._chosen)
        chosen = {subject: arrays[self._chosen] for subject, arrays in outputs.items()}
        self._scores.add(labels, chosen, baseline)
        for name, errors in self._errors.items():
            if labels is not None:
                errors.add(np.asarray(labels), chosen[name])

    def tally(self, name: str, differences: Differences, notes: Sequence[str]) -> Tally:
        """The figures of one subject."""
        scores = self._scores
        if self._chosen is None:
            why = "there are several outputs: name one, as in metric={'NAME': 'accuracy'}, or use verify"
            return Tally(differences=differences, why=why, notes=notes)
        asked = scores.metric_name not in (None, "accuracy")
        value = scores.value(name) if asked else None
        return Tally(
            answers=scores.accuracy(name),
            differences=differences,
            why=scores.why,
            metric=scores.metric_name if asked else None,
            value=value,
            notes=[*notes, *filter(None, [scores.note(name)])],
            interval=None if value is None else self._errors[name].interval(value),
        )
