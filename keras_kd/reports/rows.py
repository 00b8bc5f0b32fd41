"""What a report consists of: rows of figures, reasons for gaps, and where the figures come from."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from keras_kd.results import Result

# The fields of a row that are no numbers.
_TEXTS = ("name", "kind", "metric", "notes", "source", "path", "disturbance")


@dataclasses.dataclass(frozen=True)
class Row(Result):
    """The figures of one model or file. `None` is a figure that was not measured.

    Args:
        name: The caller's name for this model.
        kind: `"keras"`, or the format of a file: `"float32"`, `"float16"`, `"dynamic"`, `"int8"`,
            `"int16x8"`.
        accuracy: Fraction of correct predictions, 0 to 1.
        accuracy_mean: Mean accuracy over training seeds, 0 to 1.
        accuracy_std: Sample standard deviation of the accuracy over those seeds, 0 to 1.
        seeds: The number of seeds.
        accuracy_delta: Accuracy minus the accuracy of the baseline.
        agreement: Fraction of samples for which the predicted class is that of the baseline, 0 to 1.
        parameters: Number of parameters of the Keras model.
        bytes: Size of the file.
        gzip_bytes: Size of the file after gzip.
        median_ms: Median time of one call, in milliseconds.
        p90_ms: 90th percentile of the time of one call, in milliseconds.
        compression: Bytes of the baseline divided by bytes.
        speedup: Median time of the baseline divided by the median time.
        max_error: Largest absolute difference from the outputs of the Keras model that a file was made from.
        metric: Name of the metric that was asked for, if it is another than the accuracy.
        metric_value: Its value.
        notes: What a reader should know about this row.
        accuracy_low: The lower end of the 95 % interval of the accuracy, by Wilson, 0 to 1: other samples of
            the same kind would give other accuracies.
        accuracy_high: The upper end.
        source: The name of the row of the Keras model that a file was made from.
        path: Where the file is, or where the float32 file of a Keras model is. In a saved report, relative to
            the report.
        median_low_ms: The lower end of the 95 % interval of the median.
        median_high_ms: The upper end.
        speedup_low: The lower end of the 95 % interval of `speedup`, with the noise of the machine; for the
            baseline, that noise.
        speedup_high: The upper end.
        disturbance: The figure that says that the machine was too busy for the times to be relied on, in
            words.
        metric_low: The lower end of the 95 % interval of `metric_value`, where that is the mean of an error
            over the samples.
        metric_high: The upper end.
        macs: Multiply-adds of the Keras model for one sample, as `cost` counts them.

    Examples:
        >>> from keras_kd.reports import Row
        >>> Row("int8", kind="int8", accuracy=float("nan")).accuracy is None
        True
    """

    name: str
    kind: str
    accuracy: float | None = None
    accuracy_mean: float | None = None
    accuracy_std: float | None = None
    seeds: int | None = None
    accuracy_delta: float | None = None
    agreement: float | None = None
    parameters: int | None = None
    bytes: int | None = None
    gzip_bytes: int | None = None
    median_ms: float | None = None
    p90_ms: float | None = None
    compression: float | None = None
    speedup: float | None = None
    max_error: float | None = None
    metric: str | None = None
    metric_value: float | None = None
    notes: tuple[str, ...] = ()
    accuracy_low: float | None = None
    accuracy_high: float | None = None
    source: str | None = None
    path: str | None = None
    median_low_ms: float | None = None
    median_high_ms: float | None = None
    speedup_low: float | None = None
    speedup_high: float | None = None
    disturbance: str | None = None
    metric_low: float | None = None
    metric_high: float | None = None
    macs: int | None = None

    @property
    def busy(self) -> bool:
        """Whether the machine was too busy for the times to be relied on."""
        return self.disturbance is not None

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            if field.name not in _TEXTS:
                object.__setattr__(self, field.name, plain_number(getattr(self, field.name)))
        object.__setattr__(self, "notes", tuple(self.notes))


@dataclasses.dataclass(frozen=True)
class NotMeasured(Result):
    """A gap in a report.

    Args:
        what: The missing figure, and the rows it is missing for.
        why: The reason.

    Examples:
        >>> from keras_kd.reports import NotMeasured
        >>> NotMeasured("energy", "no meter on this machine").why
        'no meter on this machine'
    """

    what: str
    why: str


@dataclasses.dataclass(frozen=True)
class Meta(Result):
    """Where and how the figures of a report were measured.

    Args:
        title: Heading of the report.
        created: Date and time in UTC.
        data: Name of the data.
        samples: The number of samples that accuracies were measured on.
        cpu: Name of the processor.
        threads: Threads of the interpreter while latency was measured.
        versions: Package name -> version.
        command: The command that produced this report.
        settings: What the models were trained with, such as the temperature: name -> value.

    Examples:
        >>> from keras_kd.reports import Meta
        >>> Meta(title="Digits", samples=360).samples
        360
    """

    title: str = "Comparison"
    created: str | None = None
    data: str | None = None
    samples: int | None = None
    cpu: str | None = None
    threads: int | None = None
    versions: Mapping[str, str] = dataclasses.field(default_factory=dict)
    command: str | None = None
    settings: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        for field in ("versions", "settings"):
            object.__setattr__(self, field, dict(getattr(self, field)))


def plain_number(value: object) -> Any:
    """The value as a plain Python number, or None if it is not a finite number (NaN, infinity, None)."""
    if value is None:
        return None
    number = value.item() if hasattr(value, "item") else value
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise TypeError(f"A figure must be a number or None. Received: {value!r}")
    return number if math.isfinite(number) else None


def compare_with_baseline(rows: Sequence[Row], baseline: str | None) -> list[Row]:
    """The rows with their accuracy difference from the baseline, and ratios of size and time to it."""
    reference = next((row for row in rows if row.name == baseline), None)
    if reference is None:
        return list(rows)

    def ratio(base: float | None, value: float | None) -> float | None:
        return base / value if base is not None and value else None

    def delta(row: Row) -> float | None:
        if row.accuracy is None or reference.accuracy is None:
            return None
        return row.accuracy - reference.accuracy

    return [
        dataclasses.replace(
            row,
            accuracy_delta=delta(row),
            compression=ratio(reference.bytes, row.bytes),
            speedup=ratio(reference.median_ms, row.median_ms),
        )
        for row in rows
    ]
