"""A Keras model and its float32 file in one row, where a reader could not tell the two apart."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from keras_kd.reports import table
from keras_kd.reports.rows import Row

if TYPE_CHECKING:
    from keras_kd.reports.report import Report

_KIND = "keras + float32"
# What must read the same in both rows.
_ALIKE = ("accuracy", "agreement", "metric_value", "bytes")


def shown_rows(rows: Sequence[Row]) -> list[Row]:
    """The rows as a reader sees them: one row for a Keras model and the float32 file of the same figures.

    That row has the name and the times of the model, and the path and the error of the file.

    Examples:
        >>> model = Row("student", "keras", accuracy=0.9, bytes=4096)
        >>> file = Row("lite", "float32", accuracy=0.9, bytes=4096, source="student", path="m.tflite")
        >>> [(row.name, row.kind, row.path) for row in shown_rows([model, file])]
        [('student', 'keras + float32', 'm.tflite')]
    """
    twins = _twins(rows)
    files = {file.name for file in twins.values()}
    # In the same words for all where there are several, so that it is said once.
    what = f"its file {next(iter(files))!r}" if len(files) == 1 else "the float32 file of its model"
    note = f"the row stands for {what}, too"
    return [_merged(row, twins.get(row.name), note) for row in rows if row.name not in files]


def as_shown(report: "Report") -> "Report":
    """The report with `shown_rows`; what names a file that has no row of its own names that of its model."""
    models = {file.name: name for name, file in _twins(report.rows).items()}
    choice = report.choice
    if choice is not None and choice.name in models:
        choice = dataclasses.replace(choice, name=models[choice.name])
    baseline = None if report.baseline is None else models.get(report.baseline, report.baseline)
    return dataclasses.replace(report, rows=shown_rows(report.rows), baseline=baseline, choice=choice)


def _twins(rows: Sequence[Row]) -> dict[str, Row]:
    """Name of a Keras model -> its float32 file, where their figures read the same."""
    models = {row.name: row for row in rows if row.kind == "keras"}
    twins: dict[str, Row] = {}
    for row in rows:
        model = models.get(row.source or "")
        if model is not None and row.kind == "float32" and _read_alike(row, model):
            twins.setdefault(model.name, row)
    return twins


def _read_alike(file: Row, model: Row) -> bool:
    columns = [column for column in table.COLUMNS if column.key in _ALIKE]
    exact = file.bytes is not None and file.bytes == model.bytes
    return exact and all(column.text(file) == column.text(model) for column in columns)


def _merged(model: Row, file: Row | None, note: str) -> Row:
    if file is None:
        return model
    notes = dict.fromkeys([*model.notes, *file.notes, note])
    return dataclasses.replace(
        model, kind=_KIND, path=file.path, max_error=file.max_error, notes=tuple(notes)
    )
