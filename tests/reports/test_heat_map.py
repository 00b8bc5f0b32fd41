"""A table whose cells are the darker the more they lose, as a page."""

import re

from keras_kd.reports.heat_map import Cell, HeatMap
from keras_kd.reports.style import STYLE

EVIL = "<i>&\"'</i>"


def page(text="conv_1"):
    rows = [(text, [Cell(text, 0.5, text), Cell("-1.0", 1.0, "")])]
    return HeatMap(text, [text], [text, "0.5", "0.25"], rows, [text]).page()


def test_text_is_escaped():
    assert "<i>" not in page(EVIL)
    assert page(EVIL).count("&lt;i&gt;") == 9  # two titles, the label of the table, and each text


def test_shades_are_of_cells_and_names_break():
    text = page()
    assert re.findall(r'<td style="--shade:([\d.]+)"', text) == ["0.50", "1.00"]
    assert "conv_<wbr>1" in text
    assert text.count('scope="col"') == 3


def test_heads_stand_over_their_columns():
    padded = re.findall(r"\n(?:@media [^{]*{ )?(#heat[^{]*) {[^}]*padding", page())
    assert padded == ["#heat th, #heat td"] * 2


def test_warnings_come_first_and_are_escaped():
    heat = HeatMap("net", ["fact"], ["layer"], [], [], ["old <b>"])
    text = heat.page()
    assert text.index("Warning: old &lt;b&gt;") < text.index("<li>fact")


def test_the_page_is_whole_and_asks_the_network_for_nothing():
    text = page()
    assert STYLE in text
    assert "prefers-color-scheme: dark) { :root { --heat" in text
    assert not re.search(r"https?:|<script|<link|<img|@import|url\(", text)
    assert "<h2>Notes" not in HeatMap("net", [], ["layer"], [], []).page()
