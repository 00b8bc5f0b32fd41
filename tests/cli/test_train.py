"""`keras-kd demo` and `distill`."""

import json
import re

import keras
import numpy as np
import pytest

import keras_kd as kd
from keras_kd.teachers.taught.shards import Ledger
from tests.cli.conftest import run
from tests.teachers.test_host_files import linear


@pytest.mark.slow
def test_distill(files, printed, tmp_path):
    words = ["distill", "--teacher", files / "teacher.keras", "--student", files / "student.keras"]
    words += ["--data", files / "data.npz", "--epochs", 1, "--out", tmp_path / "run"]
    assert run(*words, "--json") == 0
    out, err = printed()
    assert json.loads(out)["baseline"] == "teacher"
    assert "report.html" in err
    assert (tmp_path / "run" / "report.html").is_file()
    assert run(*words) == 0  # finished: read, not made
    assert "nothing was left to do" in printed()[1]
    assert run(*words, "--temperature", 2) == 1
    assert "other settings" in printed()[1]


def lite_teacher(folder, kernel):
    dense = keras.layers.Dense(3, use_bias=False)
    model = keras.Sequential([keras.Input((4,)), dense])
    dense.set_weights([kernel])
    return kd.export(model, folder / "teacher.tflite").path


def onnx_teacher(folder, kernel):
    pytest.importorskip("onnxruntime", reason="the package onnxruntime runs .onnx files")
    return linear(folder / "teacher.onnx", "batch", kernel)


@pytest.mark.slow
@pytest.mark.parametrize("make", [lite_teacher, onnx_teacher])
def test_a_teacher_on_the_host_is_asked_once_and_not_again_when_resumed(make, printed, tmp_path):
    """The size of one that is a `.tflite` file is that of the file; nothing is said of exporting it."""
    random = np.random.default_rng(0)
    kernel = random.normal(size=(4, 3)).astype("float32")
    x = random.normal(size=(240, 4)).astype("float32")
    y = (x @ kernel).argmax(-1)
    np.savez(tmp_path / "data.npz", x_train=x[:200], y_train=y[:200], x_test=x[200:], y_test=y[200:])
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)]).save(tmp_path / "student.keras")
    teacher = make(tmp_path, kernel)
    words = ["distill", "--teacher", teacher, "--student", tmp_path / "student.keras"]
    words += ["--data", tmp_path / "data.npz", "--files", "float32", "--epochs", 2, "--out", tmp_path / "run"]
    assert run(*words, "--learning-rate", 0.05) == 0
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["rows"][0]["accuracy"] == 1.0
    known = {".tflite": teacher.stat().st_size}.get(teacher.suffix)
    assert report["rows"][0]["bytes"] == known
    said = [gap["why"] for gap in report["not_measured"] if "teacher" in gap["what"]]
    assert said == ([] if known else ["it does not export: it answers on the host, outside Keras"])
    shards = Ledger(tmp_path / "run" / "taught")
    (told,) = re.findall("the teacher answered once to each of ([0-9]+) training samples", printed()[1])
    assert sum(shards.finished().values()) == int(told) == 180
    written = {path: path.stat().st_mtime_ns for path in shards.folder.glob("*.npy")}
    for lost in ("report.json", "seed0/distilled.keras"):  # as if killed before
        (tmp_path / "run" / lost).unlink()
    assert run(*words, "--learning-rate", 0.05) == 0
    assert (tmp_path / "run" / "seed0" / "distilled.keras").exists()
    assert written == {path: path.stat().st_mtime_ns for path in shards.folder.glob("*.npy")}


@pytest.mark.slow
def test_demo(printed, tmp_path):
    words = ["demo", "--epochs", 1, "--out", tmp_path / "demo"]
    assert run(*words) == 0
    out, _ = printed()
    assert "int16x8" in out
    assert "Distillation " in out


def broken_npz(files, folder, **change):
    with np.load(files / "data.npz") as data:
        arrays = {**data, **change}
    np.savez(folder / "broken.npz", **{key: value for key, value in arrays.items() if value is not None})
    return folder / "broken.npz"


NAN = np.full((200, 8, 8, 1), np.nan, "float32")
# So many that the validation data tells guesses from knowledge.
MANY = {
    "x_train": np.random.default_rng(0).random((1200, 8, 8, 1), "float32"),
    "y_train": np.arange(1200) % 10,
}


BAD = {
    "no such teacher": (lambda f, out: {"--teacher": f / "none.keras"}, "There is no file"),
    "not a model": (lambda f, out: {"--teacher": f / "data.npz"}, r"Expected \.keras, .*or a SavedModel"),
    "a student that is no model": (lambda f, out: {"--student": f / "data.npz"}, "Expected a Keras model"),
    "no such data": (lambda f, out: {"--data": f / "none.npz"}, "There is no file"),
    "not data": (lambda f, out: {"--data": f / "teacher.keras"}, "Expected data: .npz, .csv, .tsv"),
    "classes": (lambda f, out: {"--teacher": f / "twelve.keras"}, "12 classes and the student 10"),
    "labels": (lambda f, out: {"--data": broken_npz(f, out, y_train=np.full(200, -1))}, "labels must be"),
    "more classes": (
        lambda f, out: {"--data": broken_npz(f, out, y_train=np.full(200, 11))},
        "labels must be|per class",
    ),
    "empty": (
        lambda f, out: {"--data": broken_npz(f, out, x_train=NAN[:0], y_train=np.zeros(0, int))},
        "no samples",
    ),
    "nan": (lambda f, out: {"--data": broken_npz(f, out, x_train=NAN)}, "NaN"),
    "missing": (lambda f, out: {"--data": broken_npz(f, out, y_test=None)}, "no array y_test"),
    "shape": (
        lambda f, out: {"--data": broken_npz(f, out, x_train=NAN[:, :4], x_test=NAN[:50, :4])},
        "NaN|shape",
    ),
    "labels option": (lambda f, out: {"--labels": 3}, "labels must be from 10"),
    "out is a file": (lambda f, out: {"--out": f / "data.npz"}, "is a file"),
    "nothing to teach": (
        lambda f, out: {"--strict": "", "--data": broken_npz(f, out, **MANY)},
        r"hardly related to .* Without --strict these are",
    ),
    "out is not ours": (lambda f, out: {"--out": f}, "files that are not from a run"),
}


@pytest.mark.parametrize(("change", "message"), BAD.values(), ids=BAD)
def test_bad_input_is_one_line_before_training_and_leaves_nothing(files, printed, tmp_path, change, message):
    options = {
        "--teacher": files / "teacher.keras",
        "--student": files / "student.keras",
        "--data": files / "data.npz",
        "--out": tmp_path / "run",
    }
    options |= change(files, tmp_path)
    printed()
    assert run("distill", *(word for pair in options.items() for word in pair if word != "")) == 1
    err = printed()[1]
    assert err.count("\n") == 1, err
    assert re.search(message, err), err
    assert not list(tmp_path.rglob("*.keras"))
    assert not list(tmp_path.rglob("*.tflite"))
