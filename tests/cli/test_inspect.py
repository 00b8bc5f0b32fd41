"""`keras-kd taps`."""

import json

from tests.cli.conftest import run


def test_taps(files, printed):
    assert run("taps", files / "student.keras") == 0
    assert "stage2" in printed()[0]
    assert run("taps", files / "student.keras", "--json") == 0
    assert json.loads(printed()[0])["stage2"] == [None, 4, 4, 8]
