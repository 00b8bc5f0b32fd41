"""The row of one model or file: what was counted, and what is known of it."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from keras_kd.deployment.opening.entry_point import KEPT
from keras_kd.reports.measurement import trained_quantization
from keras_kd.reports.rows import Row
from keras_kd.reports.subjects import Subject
from keras_kd.reports.tally import Tally


def row_of(
    subject: Subject,
    tally: Tally,
    source: Subject | None = None,
    origin_note: str | None = None,
    macs: Mapping[str, int] = MappingProxyType({}),
) -> Row:
    """The row of a model or file, without its size and time.

    Args:
        subject: The model or file.
        tally: What was counted of it.
        source: The model that a file was made from, if that is compared.
        origin_note: What the file was made from, if that is not compared.
        macs: Name of a Keras model -> its multiply-adds.
    """
    answers, notes = tally.answers, [*tally.notes, *([origin_note] if origin_note else [])]
    if answers.broken:
        notes.append(f"{answers.broken:,} of {answers.answers:,} predictions are NaN and count as wrong.")
    elif tally.unusable:
        notes.append(f"It gives {tally.unusable}.")
    if subject.lite is not None and subject.lite.keeps_values:
        notes.append(f"{KEPT[0].upper()}{KEPT[1:]}.")
    if subject.model is not None and trained_quantization(subject.model):
        notes.append("Sized and timed as the int8 file that it was trained to be.")
    return Row(
        name=subject.name,
        kind=subject.kind,
        accuracy=answers.accuracy,
        agreement=answers.agreement,
        parameters=_parameters(subject, source),
        max_error=tally.max_error,
        metric=tally.metric,
        metric_value=tally.value,
        metric_low=tally.interval and tally.interval[0],
        metric_high=tally.interval and tally.interval[1],
        notes=tuple(notes),
        source=source.name if source else None,
        path=None if subject.path is None else str(subject.path),
        macs=macs.get((source or subject).name),
    )


def _parameters(subject: Subject, source: Subject | None) -> int | None:
    model = subject.model or (source.model if source else None)
    if model is not None:
        return int(model.count_params()) or None  # a function of another framework has none that are known
    return subject.made_from.parameters if subject.made_from else None


def with_seeds(rows: Sequence[Row], seeds: Mapping[str, Sequence[float]]) -> list[Row]:
    """The rows, with the spread of accuracies over repeated training runs where there are some."""
    return [_with_spread(row, seeds[row.name]) if row.name in seeds else row for row in rows]


def _with_spread(row: Row, accuracies: Sequence[float]) -> Row:
    std = statistics.stdev(accuracies) if len(accuracies) > 1 else None
    mean = statistics.fmean(accuracies)
    return replace(row, accuracy_mean=mean, accuracy_std=std, seeds=len(accuracies))
