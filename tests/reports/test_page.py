"""The HTML page of a report."""

import dataclasses
import html
import itertools
import re

import pytest

from keras_kd.reports import Report, Row
from keras_kd.reports.page import page
from keras_kd.reports.style import STYLE
from keras_kd.reports.verdict import Choice, ClassFigures, Confusion
from tests.reports.formats import Tables


def test_user_text_is_escaped(page_text):
    assert "<b>told" not in page_text
    assert "<i>title" not in page_text
    assert "student | &lt;b&gt;told&lt;/b&gt;" in page_text
    assert "no &lt;meter&gt;" in page_text


def test_each_style_is_in_the_style_sheet(report):
    rows = [dataclasses.replace(row, accuracy_low=0.5, accuracy_high=1.0) for row in report.rows]
    changes = {"rows": rows, "choice": Choice("int8", "why"), "facts": ["--seeds 5 measures it"]}
    text = page(dataclasses.replace(report, **changes))
    without_plots = re.sub("<svg.*?</svg>", "", text, flags=re.S)
    used = {name for names in re.findall(r'class="(.*?)"', without_plots) for name in names.split()}
    assert {"option", "spread", "front", "ship", "swatch"} <= used
    assert {name for name in used if f".{name}" not in STYLE} == set()


def test_the_page_asks_the_network_for_nothing(page_text):
    assert "default-src 'none'" in page_text
    assert not re.search(r"https?:|//[a-z]|<script|<link|<img|@import|url\(", page_text)


def test_one_heading_of_each_level_in_order(page_text):
    levels = [int(level) for level in re.findall(r"<h(\d)", page_text)]
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels))


def test_table_names_rows_and_columns_for_screen_readers(report, page_text):
    figures = page_text[page_text.index('<table id="figures"') : page_text.index("</table>")]
    assert figures.count('scope="row"') == len(report.rows)
    assert figures.count("<thead><tr>") == 1
    assert re.search(r'<div class="scroll" role="region" aria-label="[^"]+" tabindex="0">', page_text)


def rows_of(text):
    """Name -> the row of the table of figures."""
    figures = text[text.index('<table id="figures"') : text.index("</table>")].replace("\u00a0", " ")
    return {re.search('title="(.*?)"', row)[1]: row for row in re.findall(r"<tr.*?</tr>", figures, re.S)[1:]}


def test_what_no_row_beats_is_marked_and_nothing_else(page_text):
    marked = {name: re.findall(r'class="front">(.*?)<', row) for name, row in rows_of(page_text).items()}
    assert marked["teacher"] == ["1,050.2", "1.21 ms"]
    assert marked["dynamic"] == ["18.1"]
    # The fastest, and one that is slower by less than noise; a faster one is less accurate.
    assert marked["float32"] == ["81.8 µs"]
    assert marked["student alone"] == marked["int8"] == marked["not run"] == []
    assert page_text.count("what is better in this column is less accurate") == 1


def test_nothing_is_marked_without_a_rival():
    rows = [Row("a", "int8", 0.8, bytes=5), Row("b", "int8", 0.8, bytes=5)]
    assert 'td class="front"' not in page(Report(rows))


def test_the_file_to_ship_is_marked_in_the_table(report):
    text = page(dataclasses.replace(report, choice=Choice("int8", "the smallest")))
    styles = {name: re.match('<tr(?: class="(.*?)")?>', row)[1] for name, row in rows_of(text).items()}
    assert {name: style for name, style in styles.items() if style} == {"teacher": "baseline", "int8": "ship"}


def test_programs_are_shown_as_they_are(report):
    program = "import numpy as np\nprint('<b>', 1 < 2)\n"
    text = page(dataclasses.replace(report, snippets={"Python": program, "Kotlin": "fun"}))
    (shown, other) = re.findall(r"<pre[^>]*><code>(.*?)</code></pre>", text, re.S)
    assert (html.unescape(shown), other) == (program, "fun")
    assert "<b>" not in shown
    assert re.findall(r"<details( open)?>\n<summary>(Python|Kotlin)", text) == [
        (" open", "Python"),
        ("", "Kotlin"),
    ]


@pytest.mark.parametrize(("classes", "tables"), [(3, ["classes"]), (12, ["worst", "classes"])])
def test_many_classes_are_shown_on_demand(report, classes, tables):
    figures = [ClassFigures(f"<c{i}>", 10, {"int8": i / 100, "teacher": 0.5}) for i in range(classes)]
    text = page(dataclasses.replace(report, choice=Choice("int8", "why"), classes=figures))
    found = Tables(text).tables
    assert [name for name in ("worst", "classes") if name in found] == tables
    assert [len(found[name]) - 1 for name in tables] == ([3] if classes == 3 else [10, 12])
    assert found[tables[0]][:2] == [
        ["Class", "Samples", "int8", "teacher"],
        ["<c0>", "10", "0.0 %", "50.0 %"],
    ]
    assert ("All 12 classes" in text) == (classes == 12)


def test_settings_and_names_of_confusions_are_escaped(report):
    confused = [Confusion("teacher", "<script>a", "<script>b", 3)]
    meta = dataclasses.replace(report.meta, settings={"<script>": "<script>1"})
    text = page(dataclasses.replace(report, confusions=confused, meta=meta))
    assert "<script" not in text
    assert Tables(text).tables["confusions-0"][1] == ["<script>a", "<script>b", "3"]
    assert "<dt>&lt;script&gt;</dt><dd>&lt;script&gt;1</dd>" in text


def test_a_figure_breaks_before_its_interval_and_nowhere_else_and_on_narrow_screens_only():
    wide, narrow = STYLE.split("@media (max-width: 560px)")
    assert "td.spread { white-space: normal; }" in narrow
    assert "spread" not in wide
    row = Row("a_b", "int8", 0.9806, accuracy_low=0.966, accuracy_high=0.994)
    text = page(Report([row]))
    assert '<td class="spread">98.06 ±\u00a01.4\u00a0%</td>' in text
    assert 'title="a_b"' in text


def test_warnings_stand_before_the_card(report):
    warned = dataclasses.replace(report, warnings=["<b>16 %</b>: it has nothing to teach"])
    text = page(warned)
    assert text.index("Warning: &lt;b&gt;16") < text.index('id="figures"')
    assert warned.text().splitlines()[len(report.rows) + 3].startswith("warning: <b>16 %")
    assert 'class="warning"' not in page(report)
