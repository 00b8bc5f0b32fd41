"""The Pareto front of a report: the rows that no other row beats in both of two figures."""

from collections.abc import Sequence

from keras_kd.deployment.intervals import LEAST_NOISE
from keras_kd.reports.quality import quality_of
from keras_kd.reports.rows import Row


def front(rows: Sequence[Row], key: str) -> list[str]:
    """The names of the rows that no other one beats both in quality and in size or time, the smallest first.

    Quality is the accuracy, or where there is none, an error that was asked for.

    Args:
        rows: The rows of a report.
        key: `"bytes"` or `"median_ms"`, which is better if it is smaller. Times that differ by no more than
            noise are equal; with times of a busy machine there is no front.

    Examples:
        >>> rows = [Row("a", "int8", 0.9, bytes=10), Row("b", "int8", 0.8, bytes=20)]
        >>> front(rows, "bytes")
        ['a']
    """
    quality = quality_of(rows)
    scores = [(row, quality.score(row)) for row in rows if quality.is_known and (getattr(row, key) or 0) > 0]
    measured = [(row, score) for row, score in scores if score is not None]
    if key == "median_ms" and any(row.busy for row, _ in measured):
        return []
    kept = [one[0] for one in measured if not any(_beats(other, one, key) for other in measured)]
    return [row.name for row in sorted(kept, key=lambda row: getattr(row, key))]


def is_faster(row: Row, other: Row) -> bool:
    """Whether a row is faster than another one, beyond noise; never if the machine was busy."""
    if row.median_ms is None or other.median_ms is None or row.busy or other.busy:
        return False
    known = row.median_high_ms is not None and other.median_low_ms is not None
    most, least = (row.median_high_ms, other.median_low_ms) if known else (row.median_ms, other.median_ms)
    assert most is not None
    assert least is not None
    return most * (1 + LEAST_NOISE) < least


def _beats(first: tuple[Row, float], second: tuple[Row, float], key: str) -> bool:
    """Whether a row, with its score, beats another one."""
    (row, score), (other, beaten_score) = first, second
    figure, beaten = getattr(row, key), getattr(other, key)
    less = is_faster(row, other) if key == "median_ms" else figure < beaten
    more = score > beaten_score
    return (less and score >= beaten_score) or (more and figure <= beaten)
