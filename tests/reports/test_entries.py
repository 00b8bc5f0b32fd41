"""Rows, from what was counted of a model or file."""

import pytest

from keras_kd.reports import Row
from keras_kd.reports.entries import row_of, with_seeds
from keras_kd.reports.subjects import open_subject
from keras_kd.reports.tally import Tally
from tests.deployment.foreign import rewritten


def test_what_is_known_of_a_model_of_its_file_and_of_one_that_knows_nothing(models, files, tmp_path):
    model, file = open_subject("m", models[1]), open_subject("f", files["int8"])
    foreign = open_subject("g", rewritten(files["int8"], tmp_path / "m.tflite", ["x"], ["y"]))
    size = models[1].count_params()
    wanted = {
        "m": (row_of(model, Tally()), size, None, None),
        "f": (row_of(file, Tally(), model), size, "m", str(files["int8"])),
        "not compared": (row_of(file, Tally(), None, "made from it"), size, None, str(files["int8"])),
        "told": (row_of(foreign, Tally(), model), size, "m", str(foreign.path)),
        "unknown": (row_of(foreign, Tally()), None, None, str(foreign.path)),
    }
    for row, parameters, source, path in wanted.values():
        assert (row.parameters, row.source, row.path) == (parameters, source, path)
    assert wanted["not compared"][0].notes == ("made from it",)


def test_a_file_has_the_multiply_adds_of_its_model(models, files):
    model, file = open_subject("m", models[1]), open_subject("f", files["int8"])
    found = [row_of(*args, macs={"m": 7}).macs for args in ((model, Tally()), (file, Tally(), model))]
    assert found == [7, 7]
    assert row_of(file, Tally(), macs={"m": 7}).macs is None


def test_what_is_wrong_with_answers_is_a_note(models):
    row = row_of(open_subject("m", models[1]), Tally(notes=["first"], unusable="NaN for 3 of 4 samples"))
    assert row.notes == ("first", "It gives NaN for 3 of 4 samples.")


def test_seeds_give_a_mean_and_a_spread():
    rows = with_seeds(
        [Row("a", "keras"), Row("b", "keras"), Row("c", "keras")], {"a": [0.5, 0.7], "b": [1.0]}
    )
    found = [(row.accuracy_mean, row.accuracy_std, row.seeds) for row in rows]
    assert found == [
        (pytest.approx(0.6), pytest.approx(0.1414, abs=1e-4), 2),
        (1.0, None, 1),
        (None, None, None),
    ]
