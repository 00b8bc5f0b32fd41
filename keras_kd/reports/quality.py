"""By what the rows of a report are judged: the accuracy, or else the metric that was asked for."""

from collections.abc import Sequence
from typing import NamedTuple

from keras_kd.reports.rows import Row

LOWER = "lower is better"
# The last words of names of metrics that are better the less they are.
_ERRORS = ["error", "loss", "crossentropy", "divergence", "hinge", "logcosh"]
_ERRORS += ["mae", "mse", "rmse", "mape", "msle"]


def in_words(metric: str) -> str:
    """The name of a metric as one reads it."""
    return metric.replace("_", " ")


def is_error(metric: str) -> bool:
    """Whether less of a metric is known to be better, by its name.

    Examples:
        >>> [is_error(name) for name in ("mean_absolute_error", "AUC", "neg_mean_squared_error")]
        [True, False, False]
    """
    words = in_words(metric).lower().split()
    return bool(words) and words[-1] in _ERRORS and not words[0].startswith("neg")


class Quality(NamedTuple):
    """What the plots show against size and time.

    Args:
        metric: The metric that was asked for; `None` for the accuracy.
    """

    metric: str | None = None

    @property
    def name(self) -> str:
        """What it is called in a sentence."""
        return "accuracy" if self.metric is None else in_words(self.metric)

    @property
    def title(self) -> str:
        """The name at the start of a sentence."""
        return self.name[:1].upper() + self.name[1:]

    @property
    def axis(self) -> str:
        """The title of an axis."""
        if self.metric is None:
            return "accuracy (%)"
        return f"{self.name} ({LOWER})" if self.less_is_better else self.name

    @property
    def meaning(self) -> str:
        """What the figures of a metric mean."""
        return f"{self.title} of the outputs and the labels{f'; {LOWER}' if self.less_is_better else ''}."

    @property
    def less_is_better(self) -> bool:
        """Whether less is better."""
        return self.metric is not None and is_error(self.metric)

    @property
    def is_known(self) -> bool:
        """Whether it is known if more is better or less."""
        return self.metric is None or self.less_is_better

    def value(self, row: Row) -> float | None:
        """The figure of a row: percent, or the metric."""
        if self.metric is not None:
            return row.metric_value
        return None if row.accuracy is None else 100 * row.accuracy

    def ends(self, row: Row) -> list[float]:
        """The ends of the interval of that figure, where it is known."""
        if self.metric is not None:
            return [end for end in (row.metric_low, row.metric_high) if end is not None]
        return [100 * end for end in (row.accuracy_low, row.accuracy_high) if end is not None]

    def score(self, row: Row) -> float | None:
        """How good a row is, more is better; errors that read the same are the same."""
        if self.metric is None:
            return row.accuracy
        return None if row.metric_value is None else -float(f"{row.metric_value:.5g}")

    def text(self, value: float) -> str:
        """A figure with its unit."""
        return f"{value:.2f} %" if self.metric is None else f"{value:.5g}"


def quality_of(rows: Sequence[Row]) -> Quality:
    """What the rows are judged by: the accuracy, or where there is none, the metric that was asked for."""
    return Quality() if any(row.accuracy is not None for row in rows) else metric_of(rows)


def metric_of(rows: Sequence[Row]) -> Quality:
    """The metric that was asked for; the accuracy if none was."""
    return Quality(next((row.metric for row in rows if row.metric), None))
