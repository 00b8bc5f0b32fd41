"""Paths of models, files and reports."""

import os
from pathlib import Path

import pytest

from keras_kd.locations import (
    check_data,
    check_lite_file,
    check_lite_target,
    check_model,
    check_reading,
    check_report_target,
    check_teacher,
    data_kind,
    is_keras_model,
)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("student.keras", "old.h5", "student.tflite", "t.onnx", "report.HTML"):
        Path(name).touch()
    Path("saved").mkdir()
    Path("saved/saved_model.pb").touch()
    Path("unpacked").mkdir()
    Path("unpacked/config.json").touch()
    Path("empty").mkdir()
    for name in ("mine.npz", "flowers.CSV", "a.parquet"):
        Path(name).touch()
    os.mkfifo("pipe.tsv")


@pytest.mark.parametrize("name", ["student.keras", "old.h5", "unpacked"])
def test_models(name, here):
    assert check_model(name) == Path(name)


@pytest.mark.parametrize("name", ["student.keras", "old.h5", "unpacked", "saved", "student.tflite", "t.onnx"])
def test_teachers(name, here):
    assert check_teacher(name) == Path(name)
    assert is_keras_model(name) == (name in ("student.keras", "old.h5", "unpacked"))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("mine.npz", "arrays"),
        ("flowers.CSV", "table"),
        ("a.parquet", "table"),
        ("empty", "folder"),
        ("tfds:mnist", "tfds"),
    ],
)
def test_data(name, kind, here):
    assert (check_data(Path(name)), data_kind(name)) == (name, kind)


@pytest.mark.parametrize(
    ("check", "name", "error", "message"),
    [
        (check_model, "studnet.keras", FileNotFoundError, "no file 'studnet.keras'. Did you mean 'student.k"),
        (check_model, "nowhere/x.h5", FileNotFoundError, "There is no file 'nowhere/x.h5'.$"),
        (check_model, "student.tflite", ValueError, "Expected a Keras model .* Received: 'student.tflite'.$"),
        (check_model, "model.pt", ValueError, r"Received: 'model.pt'. Save it with model.save"),
        (check_model, "saved", ValueError, "'saved' is a TensorFlow SavedModel.* kd.tfmot.from_tf_keras"),
        (check_model, "empty", IsADirectoryError, "'empty' is a folder"),
        (check_data, "mine.npy", FileNotFoundError, "no file or folder 'mine.npy'. Did you mean 'mine.npz'"),
        (check_data, "flowrs.csv", FileNotFoundError, "no file 'flowrs.csv'. Did you mean 'flowers.CSV'"),
        (check_data, "emty", FileNotFoundError, "no file or folder 'emty'. Did you mean 'empty'"),
        (check_data, "tdfs:mnist", FileNotFoundError, "'tdfs:mnist'. Datasets are named as in tfds:mnist"),
        (check_data, "student.keras", ValueError, "Expected data: .npz, .* Received: 'student.keras'"),
        (check_data, "pipe.tsv", OSError, "Expected a .tsv file; 'pipe.tsv' is a pipe"),
        (check_data, "tfds:", ValueError, "The name of a dataset has to follow, as in tfds:mnist"),
        (check_teacher, "model.pt", ValueError, r"Expected .keras, .*, .onnx or a SavedModel. .* 'model.pt'"),
        (check_teacher, "u.onnx", FileNotFoundError, "no file 'u.onnx'. Did you mean 't.onnx'"),
        (check_teacher, "empty", IsADirectoryError, "'empty' is a folder"),
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


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("empty", {"pixels": "0-1"}, "pixels= is one of .* Did you mean '0..1'"),
        ("a.parquet", {"pixels": "0..1"}, "pixels= is for images. Received: '0..1' for 'a.parquet'"),
        ("mine.npz", {"target": "kind"}, "target= is for tables. Received: 'kind' for 'mine.npz'"),
        ("mine.npz", {"image_size": (3, 3)}, "image_size= is for images that are resized, which 'mine.npz'"),
        ("a.parquet", {"target": "kind"}, None),
        ("mine.npz", {"pixels": "0..1"}, None),
        ("tfds:mnist", {"image_size": (3, 3), "pixels": "-1..1"}, None),
    ],
)
def test_arguments_for_a_kind_of_data(name, arguments, message, here):
    given = {"target": None, "pixels": "0..255", "image_size": None} | arguments
    if message is None:
        check_reading(name, **given)
        return
    with pytest.raises(ValueError, match=message):
        check_reading(name, **given)
