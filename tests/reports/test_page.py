import itertools
import math
import re
import xml.etree.ElementTree as ElementTree

import pytest

from keras_kd.reports import Report, Row
from keras_kd.reports.labels import Box, place, shorten
from keras_kd.reports.page import page
from keras_kd.reports.style import STYLE


def drawings(text):
    """The plots of a page, parsed as XML, so that a broken one is an error."""
    return [ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", text, re.S)]


def texts(svg, style):
    return [element.text for element in svg.iter("text") if style in element.get("class").split()]


def numbers(svg):
    return [float(n) for e in svg.iter() for v in e.attrib.values() for n in re.findall(r"-?\d+\.?\d*", v)]


def test_user_text_is_escaped(report):
    text = page(report)
    assert "<b>told" not in text
    assert "<i>title" not in text
    assert "student | &lt;b&gt;told&lt;/b&gt;" in text
    assert "no &lt;meter&gt;" in text


def test_the_page_asks_the_network_for_nothing(report):
    text = page(report)
    assert "default-src 'none'" in text
    assert not re.search(r"https?:|//[a-z]|<script|<link|<img|@import|url\(", text)


def test_one_heading_of_each_level_in_order(report):
    levels = [int(level) for level in re.findall(r"<h(\d)", page(report))]
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels))


def test_table_names_rows_and_columns_for_screen_readers(report):
    text = page(report)
    figures = text[text.index('<table id="figures"') : text.index("</table>")]
    assert figures.count('scope="row"') == len(report.rows)
    assert figures.count("<thead><tr>") == 1
    assert re.search(r'<div class="scroll" role="region" aria-label="[^"]+" tabindex="0">', text)


def test_plots_of_a_full_report(report):
    size, latency, accuracy, loss = drawings(page(report))
    names = [shorten(row.name) for row in report.rows if row.accuracy is not None]
    assert sorted(texts(size, "name")) == sorted(texts(latency, "name")) == sorted(names)
    assert len(list(size.iter("rect"))) == 1
    assert set(texts(accuracy, "name")) == set(texts(loss, "name")) == {"teacher", "student alone"}
    lines = [path for path in accuracy.iter("path") if "line" in path.get("class").split()]
    assert len(lines) == 4
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
    x, y = zip(*[(float(c.get("cx")), float(c.get("cy"))) for c in svg.iter("circle")], strict=True)
    assert x[1] - x[0] == pytest.approx(x[2] - x[1], abs=0.2)
    assert y[0] - y[1] == pytest.approx(y[1] - y[2], abs=0.2)
    assert x[0] < x[1]
    assert y[0] > y[1]


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
        assert len(texts(svg, "tick")) >= 2


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
    assert [circle.get("class") for circle in svg.iter("circle")] == ["dot c0"]


def test_training_losses_of_different_objectives_are_not_laid_side_by_side():
    curves = {"a": {"loss": [9.0, 8.0], "val_loss": [1.0, 0.5]}, "b": {"loss": [90.0, 80.0]}}
    (svg,) = drawings(page(Report([Row("a", "keras")], curves=curves)))
    assert texts(svg, "name") == ["a"]


def test_only_the_best_of_a_column_is_green_and_never_the_baseline(report):
    rows = re.findall(r"<tr.*?</tr>", page(report), re.S)
    green = {
        re.search('title="(.*?)"', row)[1]: re.findall(r'class="best">(.*?)<', row)
        for row in rows
        if "title=" in row
    }
    assert green["teacher"] == []
    assert green["dynamic"] == ["97.22 %", "18.1"]
    # 0.0818 is the best time; 0.082 and 0.083 are as good, 0.091 is not.
    assert green["student alone"] == ["0.0820"]
    assert green["int8"] == ["97.22 %"]


def test_nothing_is_green_without_a_rival():
    rows = [Row("base", "keras", 0.9, bytes=5), Row("a", "int8", 0.8), Row("b", "int8", 0.8)]
    assert 'class="best"' not in page(Report(rows, baseline="base"))


def crowd(kind):
    if kind == "one spot":
        return [(200.0, 160.0)] * 8
    if kind == "row":
        return [(100.0 + 6 * i, 150.0) for i in range(9)]
    if kind == "corner":
        return [(424.0 - 4 * i, 16.0 + 3 * i) for i in range(9)]
    return [(60.0 + (i * 97) % 350, 20.0 + (i * 61) % 250) for i in range(9)]


@pytest.mark.parametrize("kind", ["one spot", "row", "corner", "spread"])
def test_names_never_cover_each_other_or_a_point(kind):
    points = crowd(kind)
    boxes = [label.line for label in place(points, [f"student no {i}" for i in range(len(points))])]
    for i, box in enumerate(boxes):
        assert all(box.overlap(other) == 0 for other in boxes[i + 1 :])
        assert all(box.overlap(Box(x - 5, y - 5, x + 5, y + 5)) == 0 for x, y in points)
        assert box.left >= 54
        assert box.right <= 440


def test_points_that_hide_each_other_share_one_block_of_names():
    first, second, far = place([(200.0, 160.0), (203.0, 161.0), (300.0, 100.0)], ["a", "b", "c"])
    assert first.block == second.block != far.block
    assert second.line.top == first.line.bottom


def test_a_name_far_from_its_point_is_tied_to_it():
    rows = [Row(f"student no {i}", "int8", 0.9 + 0.004 * i, bytes=1000 + 40 * i) for i in range(9)]
    rows.append(Row("far", "int8", 0.99, bytes=500000))
    (svg,) = drawings(page(Report(rows)))
    leaders = [path for path in svg.iter("path") if "leader" in path.get("class")]
    assert 0 < len(leaders) < len(rows)


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("dark", [False, True])
def test_colours_can_be_told_from_the_paper(dark):
    light, rest = STYLE.split("@media (prefers-color-scheme: dark)")
    colours = dict(re.findall(r"--([a-z0-9]+): (#[0-9a-f]{6})", rest if dark else light))
    assert len(colours) == 17

    def contrast(a, b):
        high, low = sorted([luminance(colours[a]), luminance(colours[b])], reverse=True)
        return (high + 0.05) / (low + 0.05)

    for paper in ("paper", "panel", "good"):
        assert contrast("ink", paper) >= 7
    assert contrast("soft", "paper") >= 4.5
    assert contrast("soft", "panel") >= 4.5
    # Names of curves are written in these colours, so they must be readable as text.
    for number in range(9):
        assert contrast(f"c{number}", "paper") >= 3
