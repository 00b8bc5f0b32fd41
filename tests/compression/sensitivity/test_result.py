"""The result: a table, a page, JSON."""

import json
import math
import re

import pytest

from keras_kd.compression.sensitivity.result import LayerScore, Sensitivity

ROWS = (
    *(LayerScore("stem", 0.5, 0.95), LayerScore("stem", 0.25, 0.5)),
    *(LayerScore("a/b<i>", 0.5, 0.99), LayerScore("a/b<i>", 0.25, 0.98)),
)


def made(**changes):
    options = {"model": "net<b>", "by": "channels", "means": "the fraction kept", "metric": "accuracy"}
    options |= {"baseline": 0.98, "rows": ROWS, "samples": 1200, "tied": {"stem": ("conv<u>",)}}
    return Sensitivity(**{**options, **changes})


def test_the_table():
    lines = str(made()).splitlines()
    assert lines[0].split() == ["layer", "0.5", "0.25"]
    assert lines[2].split() == ["stem", "and", "1", "tied", "-3.0", "-48.0"]
    assert lines[3].split() == ["a/b<i>", "+1.0", "0"]
    assert lines[5] == "net<b>: accuracy 98.00 % on 1,200 samples"
    assert lines[6] == "columns: the fraction kept; cells: change of the accuracy in points"
    assert lines[7:] == ["stem: tied to conv<u>"]
    many = made(tied={"stem": ("a", "b", "c", "d", "e", "f")})
    assert str(many).endswith("\nstem: tied to a, b, c, d and 2 more")


def test_other_scores_are_told_in_their_own_units():
    error = str(made(metric="mean_absolute_error", baseline=0.5, output="price", recalibrated=True))
    assert "mean absolute error of 'price' 0.5 on 1,200 samples, recalibrated" in error
    assert "change of the mean absolute error (lower is better)" in error
    assert "+0.45" in error
    assert "agreement with the original 100.00 %" in str(made(metric="agreement", baseline=1.0))


@pytest.mark.parametrize(
    ("changes", "loss", "found"),
    [
        ({}, 0.03, {"stem": 0.5, "a/b<i>": 0.25}),
        ({}, 0.0, {"stem": 1.0, "a/b<i>": 0.25}),
        ({"by": "rank"}, 0.0, {"a/b<i>": 0.25}),
        ({"metric": "mean_absolute_error"}, 0.0, {"stem": 0.25, "a/b<i>": 1.0}),
        ({"tied": {"stem": ("a/b<i>",)}}, 0.0, {"stem": 1.0, "a/b<i>": 1.0}),
        ({"rows": (LayerScore("a", 0.5, math.nan), LayerScore("a", 0.2, 1.0))}, 0.1, {"a": 1.0}),
    ],
)
def test_amounts_within_a_loss(changes, loss, found):
    assert made(**changes).within(loss) == found


def test_json(tmp_path):
    path = made().save(tmp_path / "found.json")
    saved = json.loads(path.read_text())
    assert saved == made().to_dict()
    assert saved["rows"][1] == {"layer": "stem", "amount": 0.25, "score": 0.5}
    assert saved["tied"] == {"stem": ["conv<u>"]}


def test_the_page(tmp_path):
    text = made().save(str(tmp_path / "found.html")).read_text()
    for name in ("<b>", "<i>", "<u>"):
        assert name not in text
    shades = [float(shade) for shade in re.findall(r"--shade:([\d.]+)", text)]
    assert shades == [0.25, 1.0, 0.0, 0.0]  # by the root of what is lost
    assert "stem: tied to conv&lt;u&gt;" in text
    assert 'title="accuracy 50.00 %"' in text
    assert "Warning" not in text


def test_warnings_are_in_page_and_json(tmp_path):
    found = made(warnings=("The statistics are <b>old</b>.",))
    text = found.save(tmp_path / "found.html").read_text()
    assert '<p class="warning">Warning: The statistics are &lt;b&gt;old' in text
    assert json.loads(found.to_json())["warnings"] == ["The statistics are <b>old</b>."]
    ties = made(tied={"stem": tuple("abcdefg")}).save(tmp_path / "ties.html").read_text()
    assert "stem: tied to a, b, c, d, e, f, g" in ties


def test_scores_that_are_no_numbers_are_shown(tmp_path):
    found = made(rows=(*ROWS, LayerScore("head", 0.5, math.nan), LayerScore("head", 0.25, 0.9)))
    assert "nan" in str(found)
    text = found.save(tmp_path / "found.html").read_text()
    assert 'style="--shade:1.00" title="accuracy nan %">nan<' in text
    assert "--shade:0.25" in text


def test_files_are_checked(tmp_path):
    made().save(tmp_path / "found.json")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        made().save(tmp_path / "found.json")
    made().save(tmp_path / "found.json", overwrite=True)
    with pytest.raises(ValueError, match=r"must end in .html or .json"):
        made().save(tmp_path / "found.md")
