"""What is compared: models and files, each with a name."""

import keras
import numpy as np
import pytest

from keras_kd.deployment.source.fingerprint import Fingerprint
from keras_kd.deployment.tflite import export
from keras_kd.distillation.distiller import Distiller
from keras_kd.reports.subjects import file_kind, open_subject, open_subjects
from tests.reports.conftest import dense


def test_the_kind_of_a_file_is_what_it_computes_in(files):
    assert {name: file_kind(path) for name, path in files.items()} == {name: name for name in files}


def test_kinds_of_files_without_anything_to_quantize(data, tmp_path):
    # The converter leaves weights this small alone: the file is what it holds, not what was asked for.
    export(dense(4), tmp_path / "small.tflite", quantization="dynamic")
    assert file_kind(tmp_path / "small.tflite") == "float32"


def test_a_file_tells_how_far_each_output_reaches_floats_too(files):
    ((name, (low, high)),) = open_subject("a", files["int8"]).limits().items()
    assert low < 0 < high
    assert open_subject("b", files["float32"]).limits() == {name: None}


def test_a_baseline_that_is_not_one_of_the_models_comes_first(models, files):
    subjects, baseline = open_subjects({"file": files["float32"]}, models[0])
    assert ([subject.name for subject in subjects], baseline) == (["baseline", "file"], "baseline")
    assert subjects[1].made_from.is_of(Fingerprint.of(models[1]))
    assert subjects[0].made_from is None
    subjects, baseline = open_subjects({"file": files["float32"], "model": models[0]}, "model")
    assert ([subject.name for subject in subjects], baseline) == (["file", "model"], "model")


@pytest.mark.parametrize(
    ("own", "others", "called"),
    [
        ("big", [], "big"),
        ("functional_7", [], "baseline"),
        ("sequential", [], "baseline"),
        ("model_1", [], "baseline"),
        (" ", [], "baseline"),
        ("big", ["small"], "big"),
        ("big", ["big"], "baseline"),
    ],
)
def test_a_baseline_is_called_by_its_own_name_if_that_tells_it_apart(own, others, called, models):
    named = keras.models.clone_model(models[1])
    named.name = own
    _, baseline = open_subjects(dict.fromkeys(others, models[0]), named)
    assert baseline == called


def test_a_baseline_that_stands_for_another_model_is_called_as_that(models, files):
    student = keras.models.clone_model(models[1])
    student.name = "small"
    assert open_subjects({}, Distiller(student, models[0]))[1] == "small"
    assert open_subjects({}, files["int8"])[1] == "int8"
    assert open_subjects({"int8": models[0]}, files["int8"])[1] == "baseline"


def test_a_model_and_its_keras_file_predict_alike(models, data, tmp_path):
    models[1].save(tmp_path / "student.keras")
    saved, model = open_subject("a", str(tmp_path / "student.keras")), open_subject("b", models[1])
    (ours,), (theirs,) = saved.predict(data[0]).values(), model.predict(data[0]).values()
    np.testing.assert_array_equal(ours, theirs)
    assert (saved.kind, saved.path) == ("keras", None)


def test_a_fixed_batch_size_is_known():
    inputs = keras.Input(batch_shape=(10, 3))
    assert open_subject("a", keras.Model(inputs, keras.layers.Dense(2)(inputs))).batch_size == 10
