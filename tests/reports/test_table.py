"""The table of a report: the same cells in every format."""

import json

import pytest

from keras_kd.reports import Row
from keras_kd.reports.table import COLUMNS, MISSING, accuracy, meanings, nonempty_columns
from tests.reports.formats import Tables, markdown_table


def test_page_markdown_and_json_hold_the_same_figures(saved):
    page = Tables(saved[".html"]).tables["figures"]
    text = markdown_table(saved[".md"], "Baseline: **teacher**")
    rows = json.loads(saved[".json"])["rows"]
    assert [sorted(cells) for cells in page] == [sorted(cells) for cells in text]
    assert page[0][:4] == ["Model", "Accuracy", "Size (KiB)", "Median time"]  # what a phone shows
    assert [row[0] for row in text[1:]] == [row["name"] for row in rows]
    by_title = {column.title: column for column in COLUMNS}
    for cells, row in zip(text[1:], rows, strict=True):
        for title, cell in zip(text[0], cells, strict=True):
            assert cell == by_title[title].text(Row(**row))


def test_columns_without_figures_are_left_out():
    rows = [Row("a", "int8", accuracy=0.5), Row("b", "int8")]
    assert [column.key for column in nonempty_columns(rows)] == ["name", "kind", "accuracy"]
    assert list(meanings(rows)) == ["Kind", "Accuracy"]


@pytest.mark.parametrize(("counts", "shown"), [((5, 6), True), ((5, None), False), ((5, 5), False)])
def test_multiply_adds_are_shown_where_they_differ(counts, shown):
    rows = [Row(name, "keras", macs=count) for name, count in zip("ab", counts, strict=True)]
    found = [column.text(rows[-1]) for column in nonempty_columns(rows) if column.key == "macs"]
    assert found == ["6"] * shown


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0"), (999, "999"), (1000, "1 k"), (37104, "37.1 k"), (999_999, "1 M"), (4_089_284_608, "4.09 G")],
)
def test_multiply_adds_are_in_three_digits(count, text):
    (column,) = [column for column in COLUMNS if column.key == "macs"]
    assert column.text(Row("a", "keras", macs=count)) == text


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [(0.966, 0.994, "98.06 ± 1.4 %"), (0.9801, 0.9811, "98.06 ± 0.05 %"), (None, 0.99, "98.06 %")],
)
def test_the_accuracy_has_its_interval(low, high, text):
    row = Row("a", "int8", 0.9806, accuracy_low=low, accuracy_high=high)
    assert accuracy(row) == text
    (column,) = [column for column in nonempty_columns([row]) if column.key == "accuracy"]
    assert column.text(row) == text
    assert ("half the width of the interval" in column.meaning) == ("±" in text)


@pytest.mark.parametrize(
    ("figures", "title", "text"),
    [
        (
            {"metric": "mean_absolute_error", "metric_low": 22.25, "metric_high": 25.5},
            "Mean absolute error (lower is better)",
            "23.858 ± 1.6",
        ),
        (
            {"metric": "mean_squared_error", "metric_low": 0.0, "metric_high": 64.5},
            "Mean squared error (lower is better)",
            "23.858 ± 41",  # the low end is cut off
        ),
        ({"metric": "AUC"}, "AUC", "23.858"),
    ],
)
def test_a_metric_has_its_interval_and_says_what_is_better(figures, title, text):
    row = Row("a", "int8", metric_value=23.8581, **figures)
    (column,) = [column for column in nonempty_columns([row]) if column.key == "metric_value"]
    assert (column.title, column.text(row)) == (title, text)
    assert (
        ("lower is better." in column.meaning)
        == ("(t): with other samples" in column.meaning)
        == ("±" in text)
    )


def timed(name, low, median, high, **figures):
    return Row(name, "int8", median_ms=median, median_low_ms=low, median_high_ms=high, **figures)


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
