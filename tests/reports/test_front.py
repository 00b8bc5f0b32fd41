"""Which rows are on the Pareto front."""

import pytest

from keras_kd.reports.front import front, is_faster
from keras_kd.reports.rows import Row


def row(name, accuracy, size=None, ms=None):
    return Row(name, "int8", accuracy, bytes=size, median_ms=ms)


@pytest.mark.parametrize(
    ("rows", "key", "names"),
    [
        ([row("a", 0.9, 10), row("b", 0.8, 20), row("c", 0.95, 30)], "bytes", ["a", "c"]),
        ([row("big", 0.9, 20), row("small", 0.9, 10)], "bytes", ["small"]),
        ([row("one", 0.9, 10), row("twin", 0.9, 10)], "bytes", ["one", "twin"]),
        ([row("wrong", None, 1), row("empty", 0.9, 0), row("ok", 0.1, 5)], "bytes", ["ok"]),
        # 4 % is noise: neither is faster.
        ([row("a", 0.9, ms=1.0), row("b", 0.9, ms=0.96)], "median_ms", ["b", "a"]),
        ([row("a", 0.9, ms=1.0), row("b", 0.9, ms=0.5)], "median_ms", ["b"]),
        ([row("a", 0.9, ms=1.0), row("b", 0.8, ms=0.5)], "median_ms", ["b", "a"]),
        ([], "bytes", []),
    ],
)
def test_rows_that_none_beats_in_both(rows, key, names):
    assert front(rows, key) == names


@pytest.mark.parametrize(
    ("high", "busy", "names"), [(0.7, False, ["a"]), (0.9, False, ["a", "b"]), (0.7, True, [])]
)
def test_intervals_that_touch_and_busy_machines_tell_no_difference(high, busy, names):
    disturbance = "62 %" if busy else None
    interval = {"median_low_ms": 0.5, "median_high_ms": high, "disturbance": disturbance}
    first = Row("a", "int8", 0.9, median_ms=0.6, **interval)
    second = Row("b", "int8", 0.9, median_ms=0.8, median_low_ms=0.75, median_high_ms=0.9)
    assert front([first, second], "median_ms") == names
    assert is_faster(first, second) == (names == ["a"])


@pytest.mark.parametrize(
    ("metric", "values", "names"),
    [
        ("mean_absolute_error", (3.0, 1.0, 2.0), ["a", "b"]),
        ("mean_absolute_error", (1.000001, 1.000002, 1.0), ["a"]),  # they read the same
        ("AUC", (0.1, 0.9, 0.5), []),  # whether more is better is not known
        ("mean_absolute_error", (None, 1.0, 2.0), ["b"]),
    ],
)
def test_an_error_is_better_if_it_is_less(metric, values, names):
    sizes = zip("abc", (10, 20, 30), values, strict=True)
    rows = [Row(name, "int8", bytes=b, metric=metric, metric_value=v) for name, b, v in sizes]
    assert front(rows, "bytes") == names


def test_accuracy_comes_before_an_error():
    rows = [
        Row("small", "int8", 0.85, bytes=10, metric="mean_absolute_error", metric_value=2.0),
        Row("big", "int8", 0.29, bytes=20, metric="mean_absolute_error", metric_value=1.0),
    ]
    assert front(rows, "bytes") == ["small"]


def test_a_row_without_a_time_is_not_faster():
    assert not is_faster(row("a", 0.9), row("b", 0.9, ms=1.0))
    assert not is_faster(row("a", 0.9, ms=1.0), row("b", 0.9))
    assert is_faster(row("a", 0.9, ms=1.0), row("b", 0.9, ms=2.0))
