"""The table of a report in a terminal."""

import pytest
from rich.cells import cell_len

from keras_kd.reports import Report, Row
from keras_kd.reports.table import COLUMNS, MISSING
from keras_kd.reports.terminal_table import plain


def test_terminal_shows_the_same_figures(report):
    lines = str(report).splitlines()
    for line, row in zip(lines[2:], report.rows, strict=False):
        assert line.startswith(row.name)
        assert all(column.text(row) in line for column in COLUMNS if column.text(row) != MISSING)
    assert "baseline: teacher" in lines
    assert "not measured: energy (no <meter>)" in lines


def test_terminal_shows_names_as_typed_and_whole(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "40")
    names = ["[red]a[/red]", ":smile:", "x" * 500, "中文"]
    lines = str(Report([Row(name, "int8", accuracy=0.5) for name in names])).splitlines()
    assert [line.split()[0] for line in lines[2:]] == names
    assert all(line.endswith("int8   50.00 %") for line in lines[2:])
    assert "\x1b" not in "".join(lines)


@pytest.mark.parametrize("width", [50, 80, 100])
def test_a_narrow_terminal_gets_fewer_columns(report, width):
    whole, narrow = str(report).splitlines(), report.text(width).splitlines()
    table = narrow[: len(report.rows) + 2]
    assert max(map(len, table)) <= width
    assert max(map(len, table)) < max(map(len, whole[: len(report.rows) + 2]))
    assert "accuracy" in table[0]
    told = " ".join(" ".join(narrow[len(table) :]).split())
    assert told == " ".join(" ".join(whole[len(table) :]).split())


def test_long_names_are_shortened_in_a_narrow_terminal():
    rows = [Row(f"student_of_some_width_{i}_int8", "int8", 0.5, bytes=5, median_ms=1.0) for i in range(3)]
    lines = plain(rows, 50).splitlines()
    assert max(map(len, lines)) <= 50
    assert [line.split()[0] for line in lines[2:]] == [f"student_o…{i}_int8" for i in range(3)]
    assert plain(rows).splitlines()[2].startswith("student_of_some_width_0_int8 ")


@pytest.mark.parametrize("width", [1, 12, 24, 30, 40, 60, 90])
@pytest.mark.parametrize(
    "name", ["teacher", "student_of_some_width", 20 * "\u4e2d\u6587"], ids=["short", "long", "wide"]
)
@pytest.mark.parametrize("metric", [None, "sparse_categorical_crossentropy"])
def test_no_line_is_wider_than_the_terminal(width, name, metric):
    figures = {"accuracy_low": 0.9, "accuracy_high": 0.99, "bytes": 12345678, "median_ms": 0.0268}
    times = {"median_low_ms": 0.0266, "median_high_ms": 0.0271, "p90_ms": 0.3}
    measured = {"metric": metric, "metric_value": metric and 0.123456}
    rows = [Row(f"{name}_{i}", "int8", 0.98, **figures, **times, **measured) for i in range(3)]
    assert max(map(cell_len, plain(rows, width).splitlines())) <= width
    if width >= 30:
        assert "accuracy" in plain(rows, width)
        assert ("sparse_" in plain(rows, 90)) == (metric is not None)


def test_a_long_heading_is_shortened_before_a_column_is_left_out():
    rows = [Row("a", "int8", metric="sparse_categorical_crossentropy", metric_value=0.5, p90_ms=1.0)]
    assert plain(rows, 50).split()[:4] == ["model", "kind", "sparse_categorical_crossentropy", "p90"]
    assert plain(rows, 40).split()[:4] == ["model", "kind", "sparse_cate\u2026", "p90"]


def test_what_says_most_is_left_out_last():
    figures = {"bytes": 12345, "metric": "mean_absolute_error", "metric_value": 0.5, "median_ms": 0.0268}
    rows = [Row("student distilled", "int8", 0.98, **figures)]
    assert plain(rows, 40).splitlines()[0].split() == ["model", "accuracy", "KiB", "time"]
    assert plain(rows, 32).splitlines()[0].split() == ["model", "accuracy", "KiB"]
    error = [Row("student distilled", "int8", **figures)]
    assert plain(error, 32).splitlines()[0].split() == ["model", "mean_absolu\u2026", "KiB"]
