"""The card at the top of a page."""

import dataclasses
import re

import pytest

from keras_kd.reports import Report, Row
from keras_kd.reports.page import page
from keras_kd.reports.page_card import card_of
from keras_kd.reports.verdict import Choice, Verdict


def with_files(report, **changes):
    rows = [
        row if row.kind == "keras" else dataclasses.replace(row, path=f"{row.name}.tflite")
        for row in report.rows
    ]
    return dataclasses.replace(report, rows=rows, **changes)


@pytest.mark.parametrize(
    ("effect", "words"),
    [("helped", "▲ It helped"), ("inconclusive", "= No clear difference"), ("hurt", "▼ It hurt")],
)
def test_the_verdict_is_told_by_words_and_a_sign(report, effect, words):
    verdict = Verdict(effect, "1 < 2", 0.0, 0.0, 0.0, 1.0, "exact McNemar test")
    text = card_of(dataclasses.replace(report, verdict=verdict))
    assert f'<p class="verdict {effect}">' in text
    assert words in re.sub("<.*?>", "", text)
    assert "1 &lt; 2" in text


def test_the_card_comes_before_everything_else(report):
    text = page(with_files(report, choice=Choice("int8", "the smallest")))
    assert text.index('class="card"') < text.index('class="facts"') < text.index('id="figures"')


def test_all_files_are_linked_and_the_chosen_one_is_marked(report):
    text = card_of(with_files(report, choice=Choice("int8", "the smallest")))
    files = text[text.index('<ul class="files"') :]
    links = re.findall(r'<a href="(.*?)">(.*?)</a>', files)
    assert [name for name, _ in links] == [f"{r.name}.tflite".replace(" ", "%20") for r in report.rows[3:]]
    assert re.findall("<li class=ship>.*?</li>", files) == [
        '<li class=ship><a href="int8.tflite">int8.tflite</a> <span>18.8 KiB</span></li>'
    ]
    assert re.search(r'<h2>Ship <a href="int8.tflite">int8.tflite</a></h2>', text)


def test_names_and_paths_cannot_leave_their_place():
    path = 'a"b/<script>javascript:x.tflite'
    row = Row("<script>n", "int8", 0.5, bytes=5, path=path)
    other = Row("javascript:alert(1)", "int8", path="javascript:alert(1)")
    text = card_of(Report([row, other], choice=Choice("<script>n", "<script>")))
    assert "<script" not in text
    assert re.findall('href="(.*?)"', text)[0] == "a%22b/%3Cscript%3Ejavascript%3Ax.tflite"
    assert 'href="javascript%3Aalert%281%29"' in text


@pytest.mark.parametrize("rows", [[Row("a", "keras")], [Row(str(i), "keras", 0.5) for i in range(9)]])
def test_no_card_is_empty(rows):
    assert card_of(Report(rows)) == ""


def test_a_comparison_of_two_models_has_a_card():
    text = card_of(Report([Row("a", "keras", 0.9), Row("b", "keras", 0.8, bytes=2048)], "a"))
    assert "<h2>b</h2>" in text
    assert "2.0 KiB" in text
    assert "<p>10.00 points lost against a</p>" in text
