"""The table of a report: in a terminal, and the same cells in every format."""

import json

import pytest

from keras_kd.reports import Report, Row
from keras_kd.reports.table import COLUMNS, MISSING, best_rows, meanings, nonempty_columns
from tests.reports.formats import Tables, markdown_table


def test_page_markdown_and_json_hold_the_same_figures(saved):
    page = Tables(saved[".html"]).tables["figures"]
    text = markdown_table(saved[".md"], "Baseline: **teacher**")
    rows = json.loads(saved[".json"])["rows"]
    assert page == text
    assert [row[0] for row in text[1:]] == [row["name"] for row in rows]
    by_title = {column.title: column for column in COLUMNS}
    for cells, row in zip(text[1:], rows, strict=True):
        for title, cell in zip(text[0], cells, strict=True):
            assert cell == by_title[title].text(Row(**row))


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


@pytest.mark.parametrize("width", [80, 100])
def test_a_narrow_terminal_gets_fewer_columns(report, width):
    whole, narrow = str(report).splitlines(), report.text(width).splitlines()
    table = narrow[: len(report.rows) + 2]
    assert max(map(len, table)) <= width
    assert max(map(len, table)) < max(map(len, whole[: len(report.rows) + 2]))
    assert "accuracy" in table[0]
    assert narrow[len(table) :] == whole[len(table) :]


def test_columns_without_figures_are_left_out():
    rows = [Row("a", "int8", accuracy=0.5), Row("b", "int8")]
    assert [column.key for column in nonempty_columns(rows)] == ["name", "kind", "accuracy"]
    assert list(meanings(rows)) == ["Kind", "Accuracy"]


def test_times_within_the_noise_are_equally_good():
    rows = [Row(name, "int8", median_ms=ms) for name, ms in [("a", 1.0), ("b", 1.04), ("c", 1.2)]]
    (column,) = [column for column in COLUMNS if column.key == "median_ms"]
    assert best_rows(column, rows, None) == {"a", "b"}
    assert best_rows(column, rows[:2], None) == set()


def timed(name, low, median, high, **figures):
    return Row(name, "int8", median_ms=median, median_low_ms=low, median_high_ms=high, **figures)


def test_times_that_may_be_the_same_are_equally_good():
    (column,) = [column for column in COLUMNS if column.key == "median_ms"]
    top, near, far = timed("top", 0.8, 1.0, 1.3), timed("near", 1.2, 1.5, 1.6), timed("far", 1.4, 1.5, 1.6)
    assert best_rows(column, [top, near, far], None) == {"top", "near"}
    busy = timed("busy", 9.0, 9.1, 9.2, disturbance="62 %")
    assert best_rows(column, [top, far, busy], None) == set()
    assert best_rows(column, [top, far, busy], "busy") == {"top"}


@pytest.mark.parametrize(
    ("row", "cells"),
    [
        (Row("a", "int8", median_ms=0.0268, p90_ms=0.3), ["26.8 µs", "0.3 ms"]),
        (timed("a", 0.0266, 0.0268, 0.0271, p90_ms=1200), ["26.8 ± 0.3 µs", "1.2 s"]),
        (timed("a", 0.021, 0.0268, 0.0389, disturbance="62 %"), ["27 ± 13 µs, busy", MISSING]),
        (Row("a", "int8", median_ms=0.1, disturbance="62 %"), ["0.1 ms, busy", MISSING]),
    ],
    ids=["saved before", "interval", "busy", "busy and few"],
)
def test_times_have_units_and_say_how_far_they_are_known(row, cells):
    by_key = {column.key: column for column in COLUMNS}
    assert [by_key[key].text(row) for key in ("median_ms", "p90_ms")] == cells
