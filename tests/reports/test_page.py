"""The HTML page of a report."""

import itertools
import re

from keras_kd.reports import Report, Row
from keras_kd.reports.page import page


def test_user_text_is_escaped(page_text):
    assert "<b>told" not in page_text
    assert "<i>title" not in page_text
    assert "student | &lt;b&gt;told&lt;/b&gt;" in page_text
    assert "no &lt;meter&gt;" in page_text


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


def test_only_the_best_of_a_column_is_green_and_never_the_baseline(page_text):
    rows = re.findall(r"<tr.*?</tr>", page_text, re.S)
    green = {
        re.search('title="(.*?)"', row)[1]: re.findall(r'class="best">(.*?)<', row)
        for row in rows
        if "title=" in row
    }
    assert green["teacher"] == []
    assert green["dynamic"] == ["97.22 %", "18.1"]
    # 0.0818 is the best time; 0.082 and 0.083 are as good, 0.091 is not.
    assert green["student alone"] == ["82 µs"]
    assert green["int8"] == ["97.22 %"]


def test_nothing_is_green_without_a_rival():
    rows = [Row("base", "keras", 0.9, bytes=5), Row("a", "int8", 0.8), Row("b", "int8", 0.8)]
    assert 'class="best"' not in page(Report(rows, baseline="base"))
