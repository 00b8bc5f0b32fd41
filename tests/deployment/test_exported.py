"""Exported: what it prints, and its JSON."""

import dataclasses
import json
import re

import pytest

from tests.deployment import small


def test_exported_prints_and_turns_into_json(small_file):
    _, exported = small_file(small.dense, "int8")
    lines = str(exported).splitlines()
    assert lines[0] == f"file          {exported.path}"
    assert lines[1] == "quantization  int8"
    assert re.fullmatch(r"size          [\d,]+ bytes, [\d,]+ after gzip", lines[2])
    assert lines[3] == "batch         fixed at 1"
    assert lines[4] == "input 0       input_0 (1, 4) float32"
    assert re.fullmatch(r"calibration   input_0: -[\d.]+ to [\d.]+", lines[6])
    assert lines[7] == "operators     DEQUANTIZE 1, FULLY_CONNECTED 1, QUANTIZE 1"
    assert re.fullmatch(r"max \|error\|   [\d.e-]+ on 16 calibration samples", lines[8])
    parsed = json.loads(exported.to_json())
    assert parsed == exported.to_dict()
    assert parsed["inputs"][0]["shape"] == [1, 4]
    with pytest.raises(dataclasses.FrozenInstanceError):
        exported.bytes = 0


def test_exported_prints_what_is_missing(small_file):
    _, exported = small_file(small.dense)
    text = str(
        dataclasses.replace(
            exported, max_error=None, batch_size=None, float_tensors=("a",) * 4, notes=("n", "m")
        )
    )
    assert "quantization  none (float32)" in text
    assert re.search(r"error\|   [\d.e-]+ on 16 random inputs", str(exported))
    assert exported.calibration == ()
    assert "max |error|   not run" in text
    assert "batch         free" in text
    assert "left in float 4 tensors: a, a, a, ..." in text
    assert text.endswith("note          n\nnote          m")
