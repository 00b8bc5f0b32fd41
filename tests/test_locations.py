"""Paths of models, files and reports."""

from pathlib import Path

import pytest

from keras_kd.locations import check_lite_file, check_lite_target, check_model, check_report_target


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("student.keras", "old.h5", "student.tflite", "report.HTML"):
        Path(name).touch()
    Path("saved").mkdir()
    Path("saved/saved_model.pb").touch()
    Path("unpacked").mkdir()
    Path("unpacked/config.json").touch()
    Path("empty").mkdir()


@pytest.mark.parametrize("name", ["student.keras", "old.h5", "unpacked"])
def test_models(name, here):
    assert check_model(name) == Path(name)


@pytest.mark.parametrize(
    ("check", "name", "error", "message"),
    [
        (check_model, "studnet.keras", FileNotFoundError, "no file 'studnet.keras'. Did you mean 'student.k"),
        (check_model, "nowhere/x.h5", FileNotFoundError, "There is no file 'nowhere/x.h5'.$"),
        (check_model, "student.tflite", ValueError, "Expected a Keras model .* Received: 'student.tflite'.$"),
        (check_model, "model.onnx", ValueError, r"Received: 'model.onnx'. Save it with model.save"),
        (check_model, "saved", ValueError, "'saved' is a TensorFlow SavedModel.* kd.tfmot.from_tf_keras"),
        (check_model, "empty", IsADirectoryError, "'empty' is a folder"),
        (check_lite_file, "student.tflit", FileNotFoundError, "Did you mean 'student.tflite'"),
        (check_lite_file, "student.keras", ValueError, "Received: 'student.keras', a Keras model: export it"),
    ],
)
def test_what_cannot_be_opened(check, name, error, message, here):
    with pytest.raises(error, match=message):
        check(name)


def test_what_is_written(here):
    assert check_lite_target("new.tflite", overwrite=False) == Path("new.tflite")
    assert check_report_target("report.HTML", overwrite=True) == Path("report.HTML")
    with pytest.raises(FileExistsError, match="overwrite"):
        check_report_target("report.HTML", overwrite=False)
    with pytest.raises(ValueError, match=r"must end in \.html, \.md or \.json"):
        check_report_target("report.pdf", overwrite=True)
    with pytest.raises(ValueError, match=r"must end in \.tflite"):
        check_lite_target("new.lite", overwrite=True)
