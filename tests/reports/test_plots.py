"""Plots of accuracy and of training curves, read back from the SVG of a page."""

import math

import pytest

from keras_kd.reports import Report, Row
from keras_kd.reports.labels import shorten
from keras_kd.reports.page import page
from tests.reports.svg import drawings, groups, numbers, texts


def test_plots_of_a_full_report(report, page_text):
    size, latency, accuracy, loss = drawings(page_text)
    measured = [row for row in report.rows if row.accuracy is not None]
    names = [shorten(row.name) for row in measured]
    assert sorted(texts(size, "name")) == sorted(texts(latency, "name")) == sorted(names)
    marks = groups(size, "mark")
    tips = [f"{row.name}: {100 * row.accuracy:.2f} %, {row.bytes / 1024:,.3g}" for row in measured]
    assert [mark.find("title").text for mark in marks] == tips
    # A square has no curves: the baseline, which is the first row.
    assert ["C" in mark.find("defs/path").get("d") for mark in marks] == [False] + [True] * 7
    assert set(texts(accuracy, "name")) == set(texts(loss, "name")) == {"teacher", "student alone"}
    dotted = ["dasharray" in line.find("path").get("style") for line in groups(accuracy, "line")]
    assert dotted == [True, True, False, False]
    for svg in (size, latency, accuracy, loss):
        assert svg.get("role") == "img"
        assert all(map(math.isfinite, numbers(svg)))
    assert "teacher 98.61 % at 1,050" in size.get("aria-label")


def test_points_stand_where_their_figures_are():
    rows = [
        Row(name, "int8", a, bytes=b)
        for name, a, b in [("a", 0.8, 1024), ("b", 0.9, 4096), ("c", 1.0, 16384)]
    ]
    (svg,) = drawings(page(Report(rows)))
    places = [mark.find("g/use") for mark in groups(svg, "mark")]
    x, y = zip(*[(float(place.get("x")), float(place.get("y"))) for place in places], strict=True)
    assert x[1] - x[0] == pytest.approx(x[2] - x[1], abs=0.2)
    assert y[0] - y[1] == pytest.approx(y[1] - y[2], abs=0.2)
    assert x[0] < x[1]
    assert y[0] > y[1]


def test_another_metric_takes_the_place_of_the_accuracy():
    rows = [
        Row(name, "int8", bytes=b, metric="AUC", metric_value=v)
        for name, b, v in [("a", 1024, 0.5), ("b", 99, 0.75)]
    ]
    text = page(Report(rows))
    (svg,) = drawings(text)
    assert [mark.find("title").text for mark in groups(svg, "mark")] == ["a: 0.5, 1", "b: 0.75, 0.0967"]
    assert "AUC against size" in text
    assert "Up and to the left" not in text
    assert svg.get("aria-label").startswith("AUC against size (KiB). a 0.5 at 1")


@pytest.mark.parametrize(
    "rows",
    [
        [Row("one", "int8", 0.5, bytes=1, median_ms=1e-6)],
        [
            Row("all", "int8", 1.0, bytes=100, median_ms=1.0),
            Row("same", "int8", 1.0, bytes=100, median_ms=1.0),
        ],
        [
            Row("tiny", "int8", 0.0, bytes=1, median_ms=1e-5),
            Row("huge", "int8", 1.0, bytes=10**12, median_ms=1e5),
        ],
        [
            Row("ok", "int8", 0.5, bytes=5),
            Row("nan", "int8", float("nan"), bytes=5),
            Row("zero", "int8", 0.5, bytes=0),
            Row("less", "int8", 0.5, bytes=-5),
        ],
        [Row("x" * 200, "int8", 0.5, bytes=1000), Row("é中文 \u200f", "int8", 0.6, bytes=1001)],
    ],
)
def test_awkward_rows_still_draw(rows):
    text = page(Report(rows))
    found = drawings(text)
    assert found
    for svg in found:
        assert all(map(math.isfinite, numbers(svg)))
        assert len(texts(svg, "xtick")) >= 2
        assert len(texts(svg, "ytick")) >= 2


def test_without_accuracy_there_is_a_table_and_no_plot():
    text = page(Report([Row("a", "int8", bytes=5, median_ms=2.0)]))
    assert drawings(text) == []
    assert "Accuracy, size and latency" not in text
    assert 'id="figures"' in text


@pytest.mark.parametrize(
    ("curves", "plots"),
    [
        ({}, 0),
        ({"a": {}}, 0),
        ({"a": {"loss": []}}, 0),
        ({"a": {"loss": [float("nan"), None]}}, 0),
        ({"a": {"loss": [1.0]}}, 1),
        ({"a": {"loss": [1.0, float("nan"), 0.5], "sparse_acc": [0.1, 0.1, 0.1]}}, 2),
        ({"other than a row": {"val_loss": [3.0, 2.0], "loss": [1.0, 0.0]}}, 1),
    ],
)
def test_curves(curves, plots):
    assert len(drawings(page(Report([Row("a", "keras")], curves=curves)))) == plots


def test_a_curve_of_one_epoch_is_a_dot():
    (svg,) = drawings(page(Report([Row("a", "keras")], curves={"a": {"loss": [2.0]}})))
    (line,) = groups(svg, "line")
    assert len(list(line.iter("use"))) == 1


def test_training_losses_of_different_objectives_are_not_laid_side_by_side():
    curves = {"a": {"loss": [9.0, 8.0], "val_loss": [1.0, 0.5]}, "b": {"loss": [90.0, 80.0]}}
    (svg,) = drawings(page(Report([Row("a", "keras")], curves=curves)))
    assert texts(svg, "name") == ["a"]


def test_a_name_far_from_its_point_is_tied_to_it():
    rows = [Row(f"student no {i}", "int8", 0.9 + 0.004 * i, bytes=1000 + 40 * i) for i in range(9)]
    rows.append(Row("far", "int8", 0.99, bytes=500000))
    (svg,) = drawings(page(Report(rows)))
    assert 0 < len(groups(svg, "leader")) < len(rows)
