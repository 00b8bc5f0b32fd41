"""The one table behind the page, the Markdown and the terminal: its columns, and the format of figures."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from keras_kd.messages import printable
from keras_kd.reports.rows import Row

MISSING = "–"
_WIDE = 100_000


def _percent(value: float) -> str:
    return f"{100 * value:.2f} %"


def _points(value: float) -> str:
    return f"{100 * value:+.2f}"


def _kib(value: float) -> str:
    return f"{value / 1024:,.1f}"


def _ms(value: float) -> str:
    return f"{value:.3f}" if value >= 0.1 else f"{value:#.3g}"


def _times(value: float) -> str:
    return f"{value:,.2f}x"


@dataclass(frozen=True)
class Column:
    """One column: a field of `Row`, headings, number format, and the fraction of a value that is noise."""

    key: str
    title: str
    short: str
    write: Callable[[Any], str]
    meaning: str = ""
    best: Literal["max", "min"] | None = None
    noise: float = 0.0

    def text(self, row: Row) -> str:
        """The cell of a row as every format shows it."""
        value = getattr(row, self.key)
        if value is None:
            return MISSING
        if self.key == "accuracy_mean" and row.accuracy_std is not None:
            return f"{100 * value:.2f} ± {_percent(row.accuracy_std)} ({row.seeds})"
        return self.write(value)


COLUMNS = (
    Column("name", "Model", "model", str),
    Column(
        "kind",
        "Kind",
        "kind",
        str,
        "keras is a Keras model, keras + float32 one and its file; every other kind is a .tflite file.",
    ),
    Column(
        "accuracy",
        "Accuracy",
        "accuracy",
        _percent,
        "Fraction of answers that are the label: of classes, or of each yes or no.",
        "max",
    ),
    Column(
        "accuracy_mean",
        "Accuracy over seeds",
        "over seeds",
        _percent,
        "Mean ± standard deviation of the accuracy over repeated training runs, and how many of them.",
    ),
    Column(
        "accuracy_delta",
        "Against baseline",
        "Δ points",
        _points,
        "Accuracy minus the accuracy of the baseline, in percentage points.",
    ),
    Column(
        "agreement",
        "Agreement",
        "agree",
        _percent,
        "Fraction of answers that are those of the baseline, correct or not.",
    ),
    Column("metric_value", "Metric", "metric", "{:.5g}".format, "The metric that was asked for."),
    Column("parameters", "Parameters", "params", "{:,}".format, "Number of parameters of the Keras model."),
    Column("bytes", "Size (KiB)", "KiB", _kib, "Size of the file; 1 KiB is 1024 bytes.", "min"),
    Column("gzip_bytes", "Gzip (KiB)", "gzip KiB", _kib, "Size of the file after gzip."),
    Column("compression", "Smaller", "smaller", _times, "Bytes of the baseline divided by bytes."),
    Column("median_ms", "Median (ms)", "ms", _ms, "Median time of one call.", "min", noise=0.05),
    Column("p90_ms", "p90 (ms)", "p90 ms", _ms, "Nine calls in ten took less than this."),
    Column("speedup", "Faster", "faster", _times, "Median of the baseline divided by the median."),
    Column(
        "max_error",
        "Max error",
        "max err",
        "{:.2g}".format,
        "Largest absolute difference from the outputs of the Keras model that the file was made from; "
        "a Keras model has none.",
    ),
)


# What a narrow terminal leaves out, in this order; the files of a report contain all columns.
_LEAST = ("p90_ms", "gzip_bytes", "max_error", "accuracy_delta", "parameters", "compression", "accuracy_mean")


def nonempty_columns(rows: Sequence[Row]) -> list[Column]:
    """The columns in which at least one row has a figure."""
    columns = [column for column in COLUMNS if any(getattr(row, column.key) is not None for row in rows)]
    names = ", ".join(dict.fromkeys(row.metric for row in rows if row.metric))
    meaning = f"{names} of the outputs and the labels."
    return [
        replace(column, title=names, short=names, meaning=meaning)
        if names and column.key == "metric_value"
        else column
        for column in columns
    ]


def meanings(rows: Sequence[Row]) -> dict[str, str]:
    """Title -> meaning of the columns that are shown and need an explanation."""
    return {column.title: column.meaning for column in nonempty_columns(rows) if column.meaning}


def best_rows(column: Column, rows: Sequence[Row], baseline: str | None) -> set[str]:
    """Names of the rows, without the baseline, that have the best figure; none if all are equally good."""
    if column.best is None:
        return set()
    values = {row.name: getattr(row, column.key) for row in rows if row.name != baseline}
    measured = {name: value for name, value in values.items() if value is not None}
    if not measured:
        return set()
    top = (max if column.best == "max" else min)(measured.values())
    best = {name for name, value in measured.items() if abs(value - top) <= column.noise * top}
    return best if len(best) < len(measured) else set()


def plain(rows: Sequence[Row], width: int | None = None) -> str:
    """The table for a terminal: text left-aligned, figures right-aligned.

    Args:
        rows: The rows.
        width: Characters per line. The least informative columns are left out until the table fits.
    """
    columns = nonempty_columns(rows)
    for key in ("", *_LEAST):
        columns = [column for column in columns if column.key != key]
        text = _render(rows, columns)
        if width is None or max(map(len, text.splitlines())) <= width:
            break
    return text


def _render(rows: Sequence[Row], columns: Sequence[Column]) -> str:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rendered = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False)
    for i, column in enumerate(columns):
        rendered.add_column(column.short, justify="left" if i < 2 else "right", no_wrap=True)
    for row in rows:
        # As Text, so that rich does not interpret markup in a name.
        rendered.add_row(*[Text(printable(column.text(row), keep="")) for column in columns])
    file = io.StringIO()
    # Independent of the terminal: no colors, and wide enough for every line.
    Console(file=file, width=_WIDE, color_system=None, force_jupyter=False, legacy_windows=False).print(
        rendered
    )
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())
