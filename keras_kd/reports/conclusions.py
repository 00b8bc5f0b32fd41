"""What follows from the answers of all models and files: intervals, classes, and the file to ship."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from keras_kd.deployment.scoring.accuracy import Accuracy
from keras_kd.reports.choice import choose
from keras_kd.reports.report import Report
from keras_kd.reports.rows import Row
from keras_kd.reports.snippets import make_snippets
from keras_kd.reports.tally import Tally
from keras_kd.reports.verdict import ClassFigures, Confusion

# Of each row, the most frequent ones.
_CONFUSIONS = 10


def conclude(
    report: Report, tallies: Mapping[str, Tally], class_names: Sequence[str] | None = None
) -> Report:
    """The report with all that the answers of its models and files say.

    Args:
        report: The figures alone.
        tallies: Name of a row -> its answers, counted.
        class_names: The names of the classes; numbers without.
    """
    counted = {name: tally.answers for name, tally in tallies.items() if tally.answers.labelled}
    usable = {
        name: answers.scores
        for name, answers in counted.items()
        if not answers.broken and not tallies[name].unusable
    }
    rows = [_with_interval(row, counted.get(row.name)) for row in report.rows]
    choice = choose(rows, usable)
    file = None if choice is None else report[choice.name].path
    tables = {name: a.confusions for name, a in counted.items() if a.confusions is not None}
    labels = _labels(tables, class_names)
    return replace(
        report,
        rows=rows,
        choice=choice,
        classes=_classes(tables, labels),
        confusions=[pair for name, table in tables.items() for pair in _confusions(name, table, labels)],
        snippets={} if file is None else make_snippets(Path(file)),
    )


def _with_interval(row: Row, answers: Accuracy | None) -> Row:
    interval = None if answers is None else answers.interval()
    return row if interval is None else replace(row, accuracy_low=interval[0], accuracy_high=interval[1])


def _labels(tables: Mapping[str, np.ndarray], class_names: Sequence[str] | None) -> list[str]:
    count = len(next(iter(tables.values()), ()))
    return list(map(str, range(count))) if class_names is None else list(class_names)


def _classes(tables: Mapping[str, np.ndarray], labels: Sequence[str]) -> list[ClassFigures]:
    """The figures of each class; every row saw the same samples of it."""
    if not tables:
        return []
    samples = next(iter(tables.values())).sum(1)
    return [
        ClassFigures(
            label,
            int(samples[i]),
            {name: float(table[i, i] / samples[i]) for name, table in tables.items() if samples[i]},
        )
        for i, label in enumerate(labels)
    ]


def _confusions(name: str, table: np.ndarray, labels: Sequence[str]) -> list[Confusion]:
    """The most frequent wrong answers of a row, the most frequent first."""
    wrong = table[:, :-1].copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:_CONFUSIONS]
    pairs = (np.unravel_index(place, wrong.shape) for place in order if wrong.flat[place])
    return [Confusion(name, labels[i], labels[k], int(wrong[i, k])) for i, k in pairs]
