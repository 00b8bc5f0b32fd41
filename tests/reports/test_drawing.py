"""Matplotlib figures as SVG: names as typed, the page's style, the user's settings untouched."""

import math
import re

import matplotlib
import pytest

from keras_kd.reports import Report, Row
from keras_kd.reports.drawing import axes, clean, limit, number, settings
from keras_kd.reports.page import page
from keras_kd.reports.style import STYLE
from tests.reports.svg import drawings, texts

ODD = ["$a_1$ & $x^2$", "<i>_b_</i>", "#000001", "url(#a)", "中文", "{x}", "a\n b", "\x1b[0m"]


def test_plots_show_names_as_typed():
    rows = [Row(name, "int8", 0.5 + i / 20, bytes=2**i) for i, name in enumerate(ODD)]
    curves = {name: {"$m_1$_acc": [0.1, 0.2]} for name in ODD}
    size, accuracy = drawings(page(Report(rows, curves=curves)))
    shown = {*ODD[:-2], "a b", "\ufffd[0m"}
    assert set(texts(size, "name")) == set(texts(accuracy, "name")) == shown
    assert "$m_1$_acc (%)" in texts(accuracy, "text")


def test_plots_leave_fonts_and_colours_to_the_style_sheet(page_text):
    defined = set(re.findall(r"(--[a-z0-9]+):", STYLE))
    for svg in drawings(page_text):
        styles = " ".join(element.get("style", "") for element in svg.iter())
        assert "#" not in styles
        assert "font-family" not in styles
        assert {"--soft", "--grid", "--c0"} <= set(re.findall(r"var\((--\w+)\)", styles)) <= defined


def test_ids_differ_and_every_reference_finds_its_own(page_text):
    ids = re.findall(r'\bid="([^"]+)"', page_text)
    assert len(ids) == len(set(ids))
    for svg in drawings(page_text):
        own = {element.get("id") for element in svg.iter() if element.get("id")}
        used = {use.get("href") for use in svg.iter("use")}
        assert used == {f"#{one}" for one in own}


@pytest.mark.slow
def test_the_same_report_gives_the_same_page_whatever_the_settings_of_matplotlib(report):
    text = page(report)
    mine = {"svg.fonttype": "path", "text.usetex": True, "axes.grid": True, "figure.dpi": 300, "font.size": 3}
    with matplotlib.rc_context(mine):
        assert page(report) == text
        assert {key: matplotlib.rcParams[key] for key in mine} == mine


@pytest.mark.parametrize(
    ("values", "most", "wanted"),
    [
        ([0.1, 20.1], math.inf, (0.0, 23.3)),
        ([-10.0, 10.0], math.inf, (-13.2, 13.2)),
        ([80.0, 100.0], 100.0, (76.8, 100.0)),
        ([5.0], math.inf, (4.0, 6.0)),
    ],
)
def test_an_axis_has_a_margin_and_ends_where_values_can(values, most, wanted):
    with settings():
        drawn = axes("x", "y")
        limit(drawn, values, least=2.0, most=most)
        assert drawn.get_ylim() == pytest.approx(wanted)


def test_tick_labels_have_no_needless_digits():
    assert [number(value) for value in (0.5, 12.0, 1234.5, 0.25)] == ["0.5", "12", "1,234", "0.25"]


def test_text_is_one_line_of_valid_xml():
    assert clean("a\n  b\x00c") == "a b\ufffdc"
