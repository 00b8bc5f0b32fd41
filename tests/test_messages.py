import json

import pytest

from keras_kd import messages
from keras_kd.messages import close_matches, did_you_mean, number_of, one_line, printable


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("plain", "plain"),
        ("first\n\nsecond", "first"),
        (
            "Exception encountered when calling Dense.call().\n\n\x1b[1mwrong   shape\x1b[0m\n\nmore",
            "wrong shape",
        ),
        ("Error when deserializing Dense.\n\nconfig={}\n\nException encountered: unknown x", "unknown x"),
        ("in user code:\n\n    File x, line 3", "File x, line 3"),
        ("Exception encountered", "Exception encountered"),
        ("x" * 500, "x" * 400),
        ("", "KeyboardInterrupt"),
        (
            "{{function_node __wrapped__Sub_device_/CPU:0}} Incompatible shapes: [4] vs. [8] [Op:Sub] name: ",
            "Incompatible shapes: [4] vs. [8]",
        ),
    ],
)
def test_one_line_of_an_error_is_without_frame_and_colours(text, line):
    assert one_line(KeyboardInterrupt(text)) == line


def raised(source, text):
    """An error that code of a module of that name raised."""
    with pytest.raises(ValueError) as caught:
        exec("def f(): raise ValueError(text)\nf()", {"__name__": source, "text": text})
    return caught.value


def test_a_line_break_in_a_name_does_not_cut_a_message_of_ours():
    text = "The model m\n\x1b[2J has no layer 'x'. Rename it."
    assert one_line(raised("keras_kd.paths", text)) == "The model m\\n\\u001b[2J has no layer 'x'. Rename it."
    assert one_line(raised("keras.layers", text)) == "The model m"
    assert one_line(raised("keras_kd_of_others", text)) == "The model m"
    assert len(one_line(raised(messages.__name__, 500 * "x"))) == 500


def test_a_line_break_in_a_quoted_name_does_not_cut_a_message_of_others():
    text = "Layer 'a\n\nb\rc' isn't there.\nDetails"
    assert one_line(ValueError(text)) == "Layer 'a\\n\\nb\\rc' isn't there."
    assert one_line(ValueError("It doesn't fit.\nDetails")) == "It doesn't fit."
    assert one_line(ValueError("It is 'open\nto the end")) == "It is 'open\\nto the end"


@pytest.mark.parametrize(
    "character",
    [
        "\x1b",
        "\r",
        "\b",
        "\0",
        "\x7f",
        "\x9b",
        "\u202e",
        "\u2066",
        "\u200f",
        "\u2028",
        "\ufeff",
        "\U000e0041",
        "\udcff",
    ],
)
def test_what_controls_a_terminal_or_reorders_a_line_is_escaped_as_json_does(character):
    shown = printable(f"a{character}b")
    assert shown.isascii()
    assert shown.isprintable()
    assert json.loads(f'"{shown}"') == f"a{character}b"
    assert printable(shown) == shown


def test_what_can_be_printed_stays():
    text = "Größe – 模型 Δ ±\n\tb"
    assert printable(text) == text
    assert printable(text, keep="").endswith("±\\n\\tb")


def test_near_misses_are_suggested_the_closest_first():
    names = ["block1", "block2", "head"]
    assert did_you_mean("blok2", names) == " Did you mean 'block2'?"
    assert did_you_mean("blok2", names, 2) == " Did you mean 'block2', 'block1'?"
    assert did_you_mean("zzz", names) == ""
    assert did_you_mean("BLOCK1", names) == " Did you mean 'block1'?"
    assert did_you_mean("head", ["HEAD", "HEAD"], 2) == " Did you mean 'HEAD'?"
    assert close_matches("blok2", iter(names), 3) == ["block2", "block1"]


def test_a_number_and_its_noun():
    assert [number_of(n, "run") for n in (0, 1, 2000)] == ["0 runs", "1 run", "2,000 runs"]
    assert number_of(3, "class", "classes") == "3 classes"
