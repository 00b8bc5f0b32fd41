"""`keras-kd taps`."""

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
