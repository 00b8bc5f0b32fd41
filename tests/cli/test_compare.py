"""`keras-kd compare`."""

import json

import pytest

from keras_kd.cli.compare import files_by_name, parse_sources, split_name_and_file
from keras_kd.reports import Report
from tests.cli.conftest import run
from tests.deployment.foreign import rewritten


def test_compare(files, printed, tmp_path):
    out = tmp_path / "report.json"
    words = [
        "compare",
        f"big={files / 'teacher.keras'}",
        files / "student.tflite",
        "--data",
        files / "data.npz",
    ]
    assert run(*words, "--baseline", "big", "--out", out) == 0
    assert "student" in printed()[0]
    assert [row.name for row in Report.load(out).rows] == ["big", "student"]
    metric = ["--metric", "sparse_top_k_categorical_accuracy", "--out", tmp_path / "metric.md"]
    assert run(*words, *metric) == 0
    assert "top\\_k" in (tmp_path / "metric.md").read_text()
    assert run(*words, "--out", out) == 1
    assert "pass --overwrite" in printed()[1]
    assert run(*words, "--out", files / "report.pdf") == 1
    assert run(*words, "--out", files / "nowhere" / "report.md") == 1
    assert run(*words, f"big={files / 'student.keras'}") == 1
    assert "a name of its own" in printed()[1]


def test_a_file_without_a_name_is_named_after_itself():
    assert split_name_and_file("models/small.keras") == ("small", "models/small.keras")
    assert split_name_and_file("big=a=b.keras") == ("big", "a=b.keras")


def test_names_that_clash_are_told_with_the_remedy():
    with pytest.raises(ValueError, match=r"a/m\.keras and b/m\.tflite are both named 'm'.*NAME=b/m\.tflite"):
        files_by_name(["big=big.keras", "a/m.keras", "b/m.tflite"])


def test_a_file_knows_its_source_and_one_of_another_tool_is_told(files, printed, tmp_path):
    model, file = files / "student.keras", files / "student.tflite"
    shared = ["compare", f"big={files / 'teacher.keras'}", f"small={model}", "--data", files / "data.npz"]
    assert run(*shared, f"file={file}", "--json") == 0
    report = json.loads(printed()[0])
    assert (report["rows"][2]["source"], report["rows"][2]["path"]) == ("small", str(file))
    assert run(*shared, f"file={file}", "--source", "file=big") == 1
    assert "--source maps 'file' to 'big', but the file was made from 'small'" in printed()[1]
    foreign = rewritten(file, tmp_path / "foreign.tflite", ["x"], ["y"])
    words = [shared[0], *shared[2:], f"file={foreign}", "--json"]
    assert run(*words) == 0
    report = json.loads(printed()[0])
    assert report["rows"][1]["max_error"] is None
    assert "name it with --source FILE=MODEL" in report["not_measured"][-1]["why"]
    assert run(*words, "--source", "file=small") == 0
    report = json.loads(printed()[0])
    assert report["rows"][1]["parameters"] == report["rows"][0]["parameters"] > 0
    assert 0 <= report["rows"][1]["max_error"] < 1e-3
    assert not any("max error" in gap["what"] for gap in report["not_measured"])
    assert run(*words, "--source", "file=smal") == 2
    assert "--source names 'smal'" in printed()[1]


def test_sources_are_parsed():
    assert parse_sources(["a=m", "b=m"]) == {"a": "m", "b": "m"}
    for text in ("a", "a=", "=m"):
        with pytest.raises(ValueError, match=r"--source takes the names .* as in int8=student"):
            parse_sources([text])
    with pytest.raises(ValueError, match="--source names 'a' twice"):
        parse_sources(["a=m", "a=n"])
