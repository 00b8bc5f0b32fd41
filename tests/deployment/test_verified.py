"""Verification: what it prints, and its JSON."""

import dataclasses
import json
from pathlib import Path

import pytest

from keras_kd.deployment.verified import OutputVerification, Verification

OUTPUT = OutputVerification("y", 0.5, 0.1, 0.9, 0.8, 0.75, 0.02, "accuracy", 0.8, 0.75)
RESULT = Verification(Path("m.tflite"), 1000, 0.5, 0.1, 0.9, 0.8, 0.75, (OUTPUT,), notes=("be warned",))


def test_it_prints_a_row_for_each_output_and_its_notes():
    lines = str(RESULT).splitlines()
    assert lines[0] == "m.tflite against Keras on 1,000 samples"
    assert lines[2].split() == ["y", "0.5", "0.1", "90.00%", "80.00%", "75.00%"]
    assert lines[3:] == ["note: be warned"]


def test_another_metric_has_a_line_of_its_own():
    boxes = dataclasses.replace(
        OUTPUT, agreement=None, metric="mean_absolute_error", keras_metric=1 / 3, file_metric=0.35
    )
    lines = str(dataclasses.replace(RESULT, outputs=(OUTPUT, boxes))).splitlines()
    assert lines[3].split()[3] == "-"
    assert lines[4] == "mean_absolute_error of y: Keras 0.333333, file 0.35"


@pytest.mark.parametrize(
    ("values", "printed"),
    [((1.0, 0.975), "Keras 100.00%, file 97.50%"), ((98.0, 97.5), "Keras 98, file 97.5")],
)
def test_an_accuracy_of_another_kind_is_printed_in_percent_if_it_is_a_fraction(values, printed):
    output = dataclasses.replace(
        OUTPUT, metric="top_k_accuracy", keras_metric=values[0], file_metric=values[1]
    )
    assert f"top_k_accuracy of y: {printed}" in str(dataclasses.replace(RESULT, outputs=(output,)))


def test_it_is_frozen_and_turns_into_json():
    assert json.loads(RESULT.to_json())["outputs"][0]["relative_error"] == 0.02
    with pytest.raises(dataclasses.FrozenInstanceError):
        RESULT.samples = 0
