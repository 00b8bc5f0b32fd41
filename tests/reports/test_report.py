"""Reports: what they accept, save and load."""

import dataclasses
import json
import os

import pytest

from keras_kd.reports import Report, Row


def test_json_comes_back_equal(report, tmp_path):
    assert Report.load(report.save(tmp_path / "r.json")) == report


@pytest.mark.parametrize("suffix", [".html", ".md", ".json"])
def test_every_format_tells_what_was_not_measured(saved, suffix):
    text = saved[suffix]
    assert "energy" in text
    assert "A CPU" in text
    assert "3.15.1" in text


def test_bad_reports_are_refused():
    row = Row("a", "keras")
    with pytest.raises(ValueError, match="at least one row"):
        Report([])
    with pytest.raises(ValueError, match="all be different"):
        Report([row, row])
    with pytest.raises(ValueError, match="baseline must be one of the rows"):
        Report([row], baseline="b")


def test_rows_by_name(report):
    assert report["int8"].bytes == 19300
    with pytest.raises(KeyError, match="No row is named 'int9'"):
        report["int9"]


def test_reports_are_frozen(report):
    with pytest.raises(dataclasses.FrozenInstanceError):
        report.baseline = None


@pytest.mark.parametrize("name", ["report", "report.pdf", "report.htm"])
def test_unknown_suffix(report, tmp_path, name):
    with pytest.raises(ValueError, match=r"\.html, \.md or \.json"):
        report.save(tmp_path / name)


def test_nothing_is_overwritten_silently(report, tmp_path):
    path = report.save(str(tmp_path / "r.md"))
    path.write_text("mine")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        report.save(path)
    assert path.read_text() == "mine"
    report.save(path, overwrite=True)
    assert path.read_text(encoding="utf-8").startswith("# A")


def test_missing_folder(report, tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist"):
        report.save(tmp_path / "no" / "r.md")


def test_a_failed_write_leaves_the_old_file_and_no_litter(report, tmp_path, monkeypatch):
    path = report.save(tmp_path / "r.json")
    before = path.read_bytes()

    def full(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="the disk is full"):
        report.save(path, overwrite=True)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["r.json"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe", "is not JSON"),
        (b"{", "is not JSON"),
        (b"[]", "Received: 'list'"),
        (b'{"format": "keras_kd report 9"}', "report 9"),
        (b'{"format": "keras_kd report 1"}', "damaged"),
        (b'{"format": "keras_kd report 1", "rows": [{"nom": 1}]}', "damaged"),
    ],
)
def test_files_that_are_no_report(tmp_path, content, message):
    path = tmp_path / "r.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        Report.load(path)


def test_load_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        Report.load(tmp_path / "none.json")


def test_the_smallest_report(tmp_path):
    report = Report([Row("a", "keras")])
    assert str(report) == "model  kind\n────────────\na      keras"
    for suffix in (".html", ".md", ".json"):
        assert "a" in report.save(tmp_path / f"report{suffix}").read_text(encoding="utf-8")
    assert Report.load(tmp_path / "report.json") == report


def test_sentences_are_wrapped_between_words(report):
    for width in (40, 80):
        lines = report.text(width).splitlines()[len(report.rows) + 3 :]
        assert max(map(len, lines)) <= width
        words = " ".join(report.text().splitlines()[len(report.rows) + 3 :]).split()
        assert " ".join(lines).split() == words
    long = dataclasses.replace(report, facts=[f"see {'x' * 90}/report-of-today.html"])
    assert f"{'x' * 90}/report-of-today.html" in long.text(80).split()


def test_paths_of_files_follow_the_report(report, tmp_path, monkeypatch):
    (tmp_path / "run").mkdir()
    (tmp_path / "elsewhere").mkdir()
    rows = [
        Row("a", "int8", path=str(tmp_path / "run" / "a b.tflite")),
        Row("b", "int8", path="elsewhere/b.tflite"),
    ]
    monkeypatch.chdir(tmp_path)
    placed = dataclasses.replace(report, baseline=None, rows=rows)
    saved = {
        suffix: placed.save(f"run/r{suffix}").read_text(encoding="utf-8")
        for suffix in (".html", ".md", ".json")
    }
    assert [row["path"] for row in json.loads(saved[".json"])["rows"]] == [
        "a b.tflite",
        "../elsewhere/b.tflite",
    ]
    assert 'href="a%20b.tflite"' in saved[".html"]
    assert "](../elsewhere/b.tflite)" in saved[".md"]
    (tmp_path / "run").rename(tmp_path / "moved")
    loaded = Report.load(tmp_path / "moved" / "r.json")
    assert [row.path for row in loaded.rows] == [
        str(tmp_path / "moved" / "a b.tflite"),
        str(tmp_path / "elsewhere" / "b.tflite"),
    ]


def test_a_report_of_an_earlier_version(report, tmp_path):
    path = report.save(tmp_path / "r.json")
    saved = json.loads(path.read_text(encoding="utf-8"))
    for name in ("verdict", "choice", "classes", "confusions", "snippets"):
        del saved[name]
    del saved["meta"]["settings"]
    for row in saved["rows"]:
        for name in ("accuracy_low", "accuracy_high", "source", "path"):
            del row[name]
    path.write_text(json.dumps(saved), encoding="utf-8")
    assert Report.load(path) == report
    assert Report.load(path).save(tmp_path / "r.html").exists()
