"""Plots of accuracy and of training curves, read back from the SVG of a page."""

import dataclasses
import math
import re

import numpy as np
import pytest

from keras_kd.reports import Report, Row
from keras_kd.reports.labels import shorten
from keras_kd.reports.page import page
from keras_kd.reports.verdict import Choice
from tests.reports.svg import drawings, groups, numbers, texts


def named(svg):
    """The names of points, which share a line where points hide each other."""
    return [name for line in texts(svg, "name") for name in line.rstrip(",").split(", ")]


def test_plots_of_a_full_report(report, page_text):
    size, latency, accuracy, loss = drawings(page_text)
    measured = [row for row in report.rows if row.accuracy is not None]
    names = [shorten(row.name) for row in measured]
    assert sorted(named(size)) == sorted(named(latency)) == sorted(names)
    marks = groups(size, "mark")
    tips = [f"{row.name}: {100 * row.accuracy:.2f} %, {row.bytes / 1024:,.4g} KiB" for row in measured]
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
    assert [mark.find("title").text for mark in groups(svg, "mark")] == [
        "a: 0.5, 1 KiB",
        "b: 0.75, 0.09668 KiB",
    ]
    assert "AUC against size" in text
    assert "Up and to the left" not in text
    assert groups(svg, "front") == []  # whether more is better is not known
    assert svg.get("aria-label").startswith("AUC against size (KiB). a 0.5 at 1 KiB")


def error(name, size, value, **figures):
    return Row(name, "int8", bytes=size, metric="mean_absolute_error", metric_value=value, **figures)


def test_errors_have_bars_and_a_front_and_say_that_lower_is_better():
    rows = [error("big", 4096, 1.0, metric_low=0.5, metric_high=2.0), error("small", 1024, 3.0)]
    text = page(Report([*rows, error("beaten", 2048, 3.5)]))
    (svg,) = drawings(text)
    ((bottom, top),) = places(svg, "bar")
    at = {name: (float(use.get("x")), float(use.get("y"))) for name, use in marks(svg).items()}
    assert (bottom[1] - at["big"][1]) * 2 == pytest.approx(at["big"][1] - top[1], abs=0.1)
    (line,) = places(svg, "front")
    np.testing.assert_allclose(line, [at["small"], at["big"]], atol=0.1)
    assert "mean absolute error (lower is better)" in [text.text for text in svg.iter("text")]
    assert "Down and to the left is better" in text
    assert "Bars: intervals" in text


def marks(svg):
    """Name -> where its mark is."""
    return {mark.find("title").text.split(":")[0]: mark.find("g/use") for mark in groups(svg, "mark")}


def places(svg, name):
    """Where the lines of that class go: (x, y) of each point."""
    words = [path.get("d").split() for group in groups(svg, name) for path in group.iter("path")]
    return [[(float(x), float(y)) for x, y in zip(d[1::3], d[2::3], strict=True)] for d in words]


def test_bars_are_the_intervals_of_accuracy_and_of_time():
    interval = {"accuracy_low": 0.8, "accuracy_high": 0.95, "median_low_ms": 0.5, "median_high_ms": 2.0}
    row = Row("a", "int8", 0.9, bytes=1024, median_ms=1.0, **interval)
    other = Row("b", "int8", 0.6, bytes=2048, median_ms=3.0)
    size, time = drawings(page(Report([row, other])))
    ((bottom, top),) = places(size, "bar")
    (use, _) = [mark.find("g/use") for mark in groups(size, "mark")]
    assert bottom[0] == top[0] == pytest.approx(float(use.get("x")), abs=0.1)
    # The bar is twice as long below the point as above it.
    assert (bottom[1] - float(use.get("y"))) / (float(use.get("y")) - top[1]) == pytest.approx(2, abs=0.05)
    (_, across) = places(time, "bar")
    (use, _) = [mark.find("g/use") for mark in groups(time, "mark")]
    assert (across[0][0] + across[1][0]) / 2 == pytest.approx(float(use.get("x")), abs=0.1)
    assert across[0][0] < float(use.get("x"))


def test_the_front_joins_what_nothing_beats_and_a_ring_marks_the_file_to_ship(report):
    size, time = drawings(page(dataclasses.replace(report, choice=Choice("dynamic", "why"), curves={})))
    (line,) = places(size, "front")
    at = {name: (float(use.get("x")), float(use.get("y"))) for name, use in marks(size).items()}
    np.testing.assert_allclose(line, [at["dynamic"], at["teacher"]], atol=0.1)
    for svg in (size, time):
        (ring,) = groups(svg, "ring")
        assert "dynamic (ship)" in named(svg)
    (ring,) = [use for group in groups(size, "ring") for use in group.iter("use")]
    assert (float(ring.get("x")), float(ring.get("y"))) == pytest.approx(at["dynamic"], abs=0.1)


def test_times_have_units():
    rows = [Row(name, "int8", 0.5, median_ms=ms) for name, ms in [("a", 0.02), ("b", 0.9)]]
    (svg,) = drawings(page(Report(rows)))
    assert {"20 µs", "0.5 ms"} <= set(texts(svg, "xtick"))
    assert [mark.find("title").text for mark in groups(svg, "mark")] == [
        "a: 50.00 %, 20 µs",
        "b: 50.00 %, 0.9 ms",
    ]


def test_no_tick_is_above_100_percent():
    rows = [
        Row(n, "int8", a, bytes=b, accuracy_low=a - 0.02, accuracy_high=1.0)
        for n, a, b in [("a", 1.0, 5), ("b", 0.99, 9)]
    ]
    (svg,) = drawings(page(Report(rows)))
    assert max(map(float, texts(svg, "ytick"))) == 100


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


def test_no_two_of_many_rows_look_alike():
    rows = [Row(f"m{i}", "keras", 0.9 + 0.004 * i, bytes=1000 + 300 * i) for i in range(20)]
    text = page(Report(rows, "m3"))
    (svg,) = drawings(text)
    looks = [
        (mark.find("defs/path").get("d"), mark.find("g/use").get("style")) for mark in groups(svg, "mark")
    ]
    assert len(set(looks)) == 20
    swatches = re.findall(r'<span class="(swatch[^"]*)" style="(.*?)"', text)
    assert len(set(swatches)) == 20
    assert sum("shape" in style for style, _ in swatches) == 11
    # The black of the first row is that of no other one, and there is more room for more names.
    assert [i for i, (_, style) in enumerate(looks) if "--c0" in style] == [0]
    assert float(svg.get("viewBox").split()[-1]) > 500
    assert float(drawings(page(Report(rows[:9])))[0].get("viewBox").split()[-1]) == 330


def test_a_name_far_from_its_point_is_tied_to_it():
    places = [(i % 4, i // 4) for i in range(16)]
    rows = [
        Row(f"student no {x} {y}", "int8", 0.9 + 0.006 * y, bytes=round(1000 * 1.4**x)) for x, y in places
    ]
    rows.append(Row("far", "int8", 0.99, bytes=500000))
    (svg,) = drawings(page(Report(rows)))
    assert 0 < len(groups(svg, "leader")) < len(rows)
