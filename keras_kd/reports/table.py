"""The one table behind the page, the Markdown and the terminal: its columns, and the format of figures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from keras_kd.deployment.durations import duration, duration_within
from keras_kd.reports.quality import metric_of
from keras_kd.reports.rows import Row
from keras_kd.reports.speed import speedup_text

MISSING = "–"


def _percent(value: float) -> str:
    return f"{100 * value:.2f} %"


def accuracy(row: Row) -> str:
    """The accuracy of a row, with half the width of its interval where that is known."""
    assert row.accuracy is not None
    if row.accuracy_low is None or row.accuracy_high is None:
        return _percent(row.accuracy)
    half = 50 * (row.accuracy_high - row.accuracy_low)
    return f"{100 * row.accuracy:.2f} ± {half:.{1 if half >= 0.1 else 2}f} %"


def metric(row: Row) -> str:
    """The metric of a row, with how far its interval reaches where that is known."""
    text = f"{row.metric_value:.5g}"
    if row.metric_low is None or row.metric_high is None:
        return text
    assert row.metric_value is not None
    # The low end of an error is cut off at 0.
    half = max(row.metric_high - row.metric_value, row.metric_value - row.metric_low)
    return f"{text} ± {half:.2g}"


def _points(value: float) -> str:
    return f"{100 * value:+.2f}"


def _kib(value: float) -> str:
    return f"{value / 1024:,.1f}"


def _short(value: int) -> str:
    """A count in three digits: thousands, millions, billions."""
    rounded = float(f"{value:.3g}")
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if rounded >= size:
            return f"{rounded / size:.3g} {unit}"
    return str(value)


def _times(value: float) -> str:
    return f"{value:,.2f}x"


def _over_seeds(row: Row) -> str:
    mean = row.accuracy_mean or 0.0
    if row.accuracy_std is None:
        return _percent(mean)
    return f"{100 * mean:.2f} ± {_percent(row.accuracy_std)} ({row.seeds})"


def median(row: Row) -> str:
    """The median time of a row, with how far it may be off where that is known."""
    value, low, high = row.median_ms or 0.0, row.median_low_ms, row.median_high_ms
    return duration(value) if low is None or high is None else duration_within(value, low, high)


def median_or_busy(row: Row) -> str:
    """The same as a cell of a table, in which a time that is not to be relied on is marked."""
    return f"{median(row)}, busy" if row.busy else median(row)


@dataclass(frozen=True)
class Column:
    """One column: a field of `Row`, headings, number format, and what the figures mean.

    Some figures say more with others of their row: `write_row` writes them instead of `write`. Some say
    nothing where they are the same in all rows, so that they are shown if they differ.
    """

    key: str
    title: str
    short: str
    write: Callable[[Any], str]
    meaning: str = ""
    write_row: Callable[[Row], str] | None = None
    if_they_differ: bool = False

    def is_shown(self, rows: Sequence[Row]) -> bool:
        """Whether it has something to say of these rows."""
        figures = {getattr(row, self.key) for row in rows} - {None}
        return len(figures) > self.if_they_differ

    def text(self, row: Row) -> str:
        """The cell of a row as every format shows it."""
        value = getattr(row, self.key)
        if value is None:
            return MISSING
        return self.write(value) if self.write_row is None else self.write_row(row)


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
        write_row=accuracy,
    ),
    Column(
        "accuracy_mean",
        "Accuracy over seeds",
        "over seeds",
        _percent,
        "Mean ± standard deviation of the accuracy over repeated training runs, and how many of them.",
        write_row=_over_seeds,
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
    Column("metric_value", "Metric", "metric", "{:.5g}".format, write_row=metric),
    Column("parameters", "Parameters", "params", "{:,}".format, "Number of parameters of the Keras model."),
    Column(
        "macs",
        "Multiply-adds",
        "mult-adds",
        _short,
        "Multiplications, each with an addition, of the Keras model for one sample, where its layers tell; "
        "k is a thousand, M a million, G a billion.",
        if_they_differ=True,
    ),
    Column("bytes", "Size (KiB)", "KiB", _kib, "Size of the file; 1 KiB is 1024 bytes."),
    Column("gzip_bytes", "Gzip (KiB)", "gzip KiB", _kib, "Size of the file after gzip."),
    Column("compression", "Smaller", "smaller", _times, "Bytes of the baseline divided by bytes."),
    Column(
        "median_ms",
        "Median time",
        "time",
        duration,
        "Median time of one call ± how far it may be off in 95 % of cases; busy: not to be relied on.",
        write_row=median_or_busy,
    ),
    Column("p90_ms", "p90", "p90", duration, "Nine calls in ten took less than this."),
    Column(
        "speedup",
        "Faster",
        "faster",
        _times,
        "Median of the baseline divided by the median; same: no difference beyond noise, ~: not known.",
        write_row=speedup_text,
    ),
    Column(
        "max_error",
        "Max error",
        "max err",
        "{:.2g}".format,
        "Largest absolute difference from the outputs of the Keras model that the file was made from; "
        "a row that is no file has none.",
    ),
)

_INTERVAL = (
    "± is half the width of the interval at 95 % ({}): with other samples of the same kind, {} "
    "would be another one within about that."
)


def nonempty_columns(rows: Sequence[Row]) -> list[Column]:
    """The columns in which at least one row has a figure, or two have different ones."""
    return [_in_words_of(column, rows) for column in COLUMNS if column.is_shown(rows)]


def _in_words_of(column: Column, rows: Sequence[Row]) -> Column:
    """The column, with the name of the metric and with what is behind a ±."""
    quality = metric_of(rows)
    if column.key == "metric_value" and quality.metric is not None:
        names = ", ".join(dict.fromkeys(row.metric for row in rows if row.metric))
        known = any(row.metric_low is not None for row in rows)
        meaning = f"{quality.meaning} {_INTERVAL.format('t', 'the error')}" if known else quality.meaning
        title = quality.axis[:1].upper() + quality.axis[1:]
        return replace(column, title=title, short=names, meaning=meaning)
    if column.key == "accuracy" and any(row.accuracy_low is not None for row in rows):
        return replace(column, meaning=f"{column.meaning} {_INTERVAL.format('Wilson', 'the accuracy')}")
    return column


def meanings(rows: Sequence[Row]) -> dict[str, str]:
    """Title -> meaning of the columns that are shown and need an explanation."""
    return {column.title: column.meaning for column in nonempty_columns(rows) if column.meaning}
