import pytest

from keras_kd.messages import close_matches, did_you_mean, one_line


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
    ],
)
def test_one_line_of_an_error_is_without_frame_and_colours(text, line):
    assert one_line(KeyboardInterrupt(text)) == line


def test_near_misses_are_suggested_the_closest_first():
    names = ["block1", "block2", "head"]
    assert did_you_mean("blok2", names) == " Did you mean 'block2'?"
    assert did_you_mean("blok2", names, 2) == " Did you mean 'block2', 'block1'?"
    assert did_you_mean("zzz", names) == ""
    assert did_you_mean("BLOCK1", names) == " Did you mean 'block1'?"
    assert did_you_mean("head", ["HEAD", "HEAD"], 2) == " Did you mean 'HEAD'?"
    assert close_matches("blok2", iter(names), 3) == ["block2", "block1"]
