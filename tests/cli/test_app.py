import json
import re
import subprocess
import sys

import keras
import numpy as np
import pytest
from rich.console import Console

from keras_kd.cli import app as cli
from keras_kd.reports import Report, Row
from tests.conftest import classifier

COMMANDS = ["demo", "distill", "taps", "export", "verify", "benchmark", "compare"]


@pytest.fixture(scope="module")
def files(tmp_path_factory, digits):
    folder = tmp_path_factory.mktemp("cli")
    keras.utils.set_random_seed(0)
    classifier("teacher", 8).save(folder / "teacher.keras")
    classifier("student", 4).save(folder / "student.keras")
    train, test = digits.arrays["train"], digits.arrays["test"]
    rows = {"x_train": train.x[:200], "y_train": train.y[:200], "x_test": test.x[:50], "y_test": test.y[:50]}
    np.savez(folder / "data.npz", **rows)
    assert run("export", folder / "student.keras", "--out", folder / "student.tflite") == 0
    return folder


def run(*words):
    return cli.run([str(word) for word in words])


@pytest.fixture
def said(capsys):
    """What was printed since the last look: (output, errors)."""
    return lambda: tuple(capsys.readouterr())


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command, said):
    assert run(command, "--help") == 0
    assert f"Example: keras-kd {command}" in " ".join(said()[0].split())


def test_no_command_shows_the_help(said):
    run()
    out, err = said()
    assert all(command in out + err for command in COMMANDS)


def test_as_a_module_it_is_quiet_about_tensorflow():
    result = subprocess.run(
        [sys.executable, "-m", "keras_kd", "taps", "--help"], capture_output=True, text=True
    )
    assert result.returncode == 0
    assert result.stderr == ""
    assert "Example: keras-kd taps" in result.stdout


def test_taps(files, said):
    assert run("taps", files / "student.keras") == 0
    assert "stage2" in said()[0]
    assert run("taps", files / "student.keras", "--json") == 0
    assert json.loads(said()[0])["stage2"] == [None, 4, 4, 8]


def test_export_verify_benchmark(files, said):
    target = files / "int8.tflite"
    words = ["export", files / "student.keras", "--out", target, "--quantization", "int8"]
    assert run(*words, "--data", files / "data.npz", "--json") == 0
    assert json.loads(said()[0])["quantization"] == "int8"
    assert run("verify", files / "student.keras", target, "--data", files / "data.npz", "--json") == 0
    assert json.loads(said()[0])["samples"] == 50
    assert run("benchmark", target) == 0
    assert "ms" in said()[0]
    assert run(*words, "--data", files / "data.npz") == 1
    assert said()[1].startswith("Error: ")
    assert run(*words, "--data", files / "data.npz", "--overwrite") == 0
    assert run("export", files / "student.keras", "--out", files / "sparse.tflite", "--sparse") == 0
    assert "sparse" in said()[0]
    assert run(*words, "--data", files / "data.npz", "--overwrite", "--sparse") == 1
    assert "sparse" in said()[1]


def test_compare(files, said):
    out = files / "report.json"
    words = [
        "compare",
        f"big={files / 'teacher.keras'}",
        files / "student.tflite",
        "--data",
        files / "data.npz",
    ]
    assert run(*words, "--baseline", "big", "--out", out) == 0
    assert "student" in said()[0]
    assert [row.name for row in Report.load(out).rows] == ["big", "student"]
    assert run(*words, "--out", out) == 1
    assert "Give --overwrite" in said()[1]
    assert run(*words, "--out", files / "report.pdf") == 1
    assert run(*words, "--out", files / "nowhere" / "report.md") == 1
    assert run(*words, f"big={files / 'student.keras'}") == 1
    assert "a name of its own" in said()[1]


@pytest.mark.slow
def test_distill(files, said, tmp_path):
    words = ["distill", "--teacher", files / "teacher.keras", "--student", files / "student.keras"]
    words += ["--data", files / "data.npz", "--epochs", 1, "--out", tmp_path / "run"]
    assert run(*words, "--json") == 0
    out, err = said()
    assert json.loads(out)["baseline"] == "teacher"
    assert "report.html" in err
    assert (tmp_path / "run" / "report.html").is_file()
    assert run(*words) == 0  # finished: read, not made
    assert "nothing was left to do" in said()[1]
    assert run(*words, "--temperature", 2) == 1
    assert "other settings" in said()[1]


@pytest.mark.slow
def test_demo(said, tmp_path):
    words = ["demo", "--epochs", 1, "--out", tmp_path / "demo"]
    assert run(*words) == 0
    out, _ = said()
    assert "int16x8" in out
    assert "Distilled minus alone" in out


def test_a_missing_file_is_one_line_and_a_traceback_on_request(said):
    assert run("benchmark", "nowhere.tflite") == 1
    out, err = said()
    assert out == ""
    assert err.count("\n") == 1
    assert "nowhere.tflite" in err
    with pytest.raises(FileNotFoundError):
        run("--debug", "benchmark", "nowhere.tflite")


def broken_npz(folder, **change):
    with np.load(folder / "data.npz") as data:
        arrays = {**data, **change}
    np.savez(folder / "broken.npz", **{key: value for key, value in arrays.items() if value is not None})
    return folder / "broken.npz"


NAN = np.full((200, 8, 8, 1), np.nan, "float32")
BAD = {
    "no such teacher": (lambda f: {"--teacher": f / "none.keras"}, "There is no file"),
    "not a model": (lambda f: {"--teacher": f / "data.npz"}, "Expected a .keras file"),
    "no such data": (lambda f: {"--data": f / "none.npz"}, "no such file"),
    "not data": (lambda f: {"--data": f / "teacher.keras"}, "is not a .npz file"),
    "classes": (lambda f: {"--teacher": f / "twelve.keras"}, "12 classes and the student 10"),
    "labels": (lambda f: {"--data": broken_npz(f, y_train=np.full(200, -1))}, "labels must be"),
    "more classes": (
        lambda f: {"--data": broken_npz(f, y_train=np.full(200, 11))},
        "labels must be|per class",
    ),
    "empty": (lambda f: {"--data": broken_npz(f, x_train=NAN[:0], y_train=np.zeros(0, int))}, "no samples"),
    "nan": (lambda f: {"--data": broken_npz(f, x_train=NAN)}, "NaN"),
    "missing": (lambda f: {"--data": broken_npz(f, y_test=None)}, "no array y_test"),
    "shape": (lambda f: {"--data": broken_npz(f, x_train=NAN[:, :4], x_test=NAN[:50, :4])}, "NaN|shape"),
    "temperature": (lambda f: {"--temperature": 0}, "must be a positive number"),
    "labels option": (lambda f: {"--labels": 3}, "labels must be from 10"),
    "out is a file": (lambda f: {"--out": f / "data.npz"}, "is a file"),
    "out is not ours": (lambda f: {"--out": f}, "files that are no run"),
}


@pytest.mark.parametrize(("change", "message"), BAD.values(), ids=BAD)
def test_bad_input_is_one_line_before_training_and_leaves_nothing(files, said, tmp_path, change, message):

    classifier("twelve", 4, 12).save(files / "twelve.keras")
    options = {
        "--teacher": files / "teacher.keras",
        "--student": files / "student.keras",
        "--data": files / "data.npz",
        "--out": tmp_path / "run",
    }
    options |= change(files)
    said()
    assert run("distill", *(word for pair in options.items() for word in pair)) == 1
    err = said()[1]
    assert err.count("\n") == 1, err
    assert re.search(message, err), err
    assert not list(tmp_path.rglob("*.keras"))
    assert not list(tmp_path.rglob("*.tflite"))


def test_an_unexpected_error_is_named(said, monkeypatch):
    def fails(*args, **kwargs):
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(cli, "measure", fails)
    assert run("benchmark", "x.tflite") == 1
    assert said()[1] == "Error: ZeroDivisionError: division by zero\n"


def test_interrupted(said, monkeypatch):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "measure", interrupted)
    assert run("benchmark", "x.tflite") == 130
    assert "the same command goes on" in said()[1]


def test_usage_errors(said):
    assert run("export", "m.keras", "--quantization", "int7", "--out", "m.tflite") == 2
    assert "int7" in said()[1]
    assert run("exprot") == 2


def test_a_report_on_a_terminal_is_as_wide_as_it_is(said, monkeypatch):
    rows = [Row(f"m{i}", "float32", accuracy=0.5, bytes=10, gzip_bytes=9, parameters=3) for i in range(2)]
    report = Report(rows)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(cli, "out", Console(width=30, soft_wrap=True))
    cli.show_report(report, as_json=False)
    assert "gzip" not in said()[0]
    cli.show_report(report, as_json=True)
    assert json.loads(said()[0])["rows"]
