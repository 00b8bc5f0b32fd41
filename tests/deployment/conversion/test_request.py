"""Request and answers of the converter process: what is written as JSON reads back the same."""

import dataclasses
from pathlib import Path

import pytest

from keras_kd.deployment.conversion.request import (
    Converted,
    Failure,
    Request,
    answer_from_json,
    answer_to_json,
)
from keras_kd.deployment.interface import Interface
from keras_kd.deployment.origin import Origin
from keras_kd.deployment.quantizations import FLOAT32, INT8, QUANTIZATIONS


@pytest.mark.parametrize("quantization", QUANTIZATIONS, ids=lambda row: row.label)
def test_requests_survive_json(quantization, tmp_path):
    request = Request(tmp_path / "é", quantization, "int8", 7, sparse=True, allow_flex=True, compared=3)
    assert Request.from_json(request.to_json()) == request
    assert Request.from_json(request.to_json()).quantization is quantization
    assert "\n" not in request.to_json()


def test_names_survive_json(tmp_path):
    interface = Interface({"é": "input_0"}, ["a", {"b": "a_b"}], {"é": "input_0"})
    origin = Origin("é", 3, "12", "34", None, 1, "3.15.1", None)
    request = Request(tmp_path, FLOAT32, interface=interface, made_from=origin)
    assert Request.from_json(request.to_json()) == request


def test_paths_of_a_request_are_in_its_folder():
    request = Request(Path("somewhere"), FLOAT32)
    paths = [request.saved_model, request.samples, request.file, request.outputs]
    assert {path.parent for path in paths} == {Path("somewhere")}
    assert len(set(paths)) == 4


@pytest.mark.parametrize("answer", [Converted(True), Converted(False), Failure("run", 'a "reason"\nof two')])
def test_answers_survive_json(answer):
    text = answer_to_json(answer)
    assert answer_from_json(text) == answer
    assert "\n" not in text


def test_requests_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Request(Path(), INT8).io = "int8"
