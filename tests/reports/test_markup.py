"""Pieces of a page: text is escaped, and nothing is left of what is empty."""

import html
import re

import pytest

from keras_kd.reports import markup

ODD = '<script>&"'
SAFE = "&lt;script&gt;&amp;&quot;"


def test_all_text_is_escaped():
    pieces = [
        markup.link(ODD, ODD),
        markup.breakable(ODD),
        markup.prose(ODD),
        markup.head(ODD),
        markup.text_table("t", ODD, [[ODD, ODD], [ODD, ODD]], left=2),
        markup.details(ODD, ""),
        markup.figure(ODD, "", ODD),
        markup.section(ODD, "x"),
        markup.bullets([ODD]),
        markup.pairs({ODD: ODD}),
        markup.named_table(ODD, ""),
        markup.code(ODD),
    ]
    for piece in pieces:
        assert "<script" not in piece
        assert SAFE in piece


def test_nothing_is_left_of_what_is_empty():
    assert markup.section("title", "", "") == markup.bullets([]) == markup.pairs({}) == ""
    assert markup.grid("plots", []) == ""


def test_long_names_may_break_at_underscores():
    assert markup.breakable("a_b") == "a_<wbr>b"


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("More seeds (--seeds 5) or more", ["--seeds 5"]),
        ("only one; --seeds 5 measures, --strict refuses.", ["--seeds 5", "--strict"]),
        ("a--b 5, -0.3 -- and <-x", []),
        ("--out runs/5", ["--out"]),
    ],
)
def test_an_option_stays_on_one_line(text, options):
    marked = markup.prose(text)
    assert re.findall('<code class="option">(.*?)</code>', marked) == options
    assert html.unescape(re.sub("</?code.*?>", "", marked)) == text


def test_a_unit_has_a_line_of_its_own():
    assert markup.head("Size (KiB)") == "Size <br>(KiB)"


def test_texts_are_aligned_left():
    assert markup.cells(["a", "b", "1"], left=2) == (
        '<tr><th scope="row" class="text">a</th><td class=text>b</td><td>1</td></tr>'
    )
    assert markup.heads(["a", "1"]) == '<th scope="col" class=text>a</th><th scope="col">1</th>'
