"""`keras-kd demo` and `distill`."""

import json
import re

import numpy as np
import pytest

from tests.cli.conftest import run


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
