"""`keras-kd taps` and `keras-kd cost`."""

import json

from tests.cli.conftest import run


def test_taps(files, printed):
    assert run("taps", files / "student.keras") == 0
    assert printed()[0].splitlines()[:3] == [
        "tap     shape",
        "conv1   (None, 4, 4, 4)",
        "norm1   (None, 4, 4, 4)",
    ]
    assert run("taps", files / "student.keras", "--json") == 0
    assert json.loads(printed()[0])["stage2"] == [None, 4, 4, 8]


def test_cost(files, printed):
    assert run("cost", files / "student.keras") == 0
    table = printed()[0]
    assert table.startswith("layer ")
    assert "whole model" in table
    assert run("cost", files / "student.keras", "--batch-size", "2", "--json") == 0
    found = json.loads(printed()[0])
    assert found["layers"][0]["path"] == "conv1"
    assert found["layers"][0]["output_shape"] == [2, 4, 4, 4]


def test_cost_of_a_shape(files, printed):
    assert run("cost", files / "student.keras", "--input-shape", "9,9,1") == 1
    assert "input_shape can set what is None" in printed()[1]
    assert run("cost", files / "student.keras", "--input-shape", "9;9") == 2
    assert "--input-shape must be sizes" in printed()[1]
