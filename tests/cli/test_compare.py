"""`keras-kd compare`."""

from keras_kd.cli.compare import split_name_and_file
from keras_kd.reports import Report
from tests.cli.conftest import run


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
