"""A Keras model and its float32 file in one row."""

from dataclasses import replace

import pytest

from keras_kd.reports import NotMeasured, Report, Row, compare
from keras_kd.reports.twins import as_shown, shown_rows
from keras_kd.reports.verdict import Choice
from tests.reports.formats import Tables, markdown_table

MODEL = Row("student", "keras", 0.9, agreement=0.8, bytes=4096, median_ms=1.0, notes=("slow", "both"))
FILE = Row(
    "lite",
    "float32",
    0.9,
    agreement=0.8,
    bytes=4096,
    median_ms=1.1,
    max_error=1e-6,
    source="student",
    path="m.tflite",
    notes=("both", "odd"),
)
INT8 = Row("int8", "int8", 0.9, agreement=0.8, bytes=4096, source="student")


def test_one_row_has_the_figures_of_the_model_and_what_only_the_file_has():
    first, second = shown_rows([MODEL, FILE, INT8])
    assert (first.name, first.kind, first.median_ms) == ("student", "keras + float32", 1.0)
    assert (first.path, first.max_error) == ("m.tflite", 1e-6)
    assert first.notes == ("slow", "both", "odd", "the row stands for its file 'lite', too")
    assert second == INT8
    assert shown_rows([FILE, MODEL])[0] == first


@pytest.mark.parametrize(
    "change",
    [
        {"accuracy": 0.89},
        {"agreement": 0.81},
        {"bytes": 4100},
        {"bytes": None},
        {"metric": "mae", "metric_value": 0.5},
        {"source": None},
        {"source": "teacher"},
        {"kind": "int8"},
    ],
    ids=str,
)
def test_what_a_reader_could_tell_apart_has_two_rows(change):
    rows = [MODEL, replace(FILE, **change), INT8]
    assert shown_rows(rows) == rows


def test_several_such_rows_have_one_note():
    other, lite = (
        replace(MODEL, name="other", notes=()),
        replace(FILE, name="lite2", source="other", notes=()),
    )
    rows = [replace(MODEL, notes=()), replace(FILE, notes=()), other, lite]
    assert str(Report(rows)).count("note: ") == 1
    assert str(Report(rows)).endswith(
        "note: student, other: the row stands for the float32 file of its model, too"
    )


def test_a_second_file_keeps_its_row():
    again = replace(FILE, name="again")
    assert [row.name for row in shown_rows([MODEL, FILE, again])] == ["student", "again"]


def test_names_of_files_without_a_row_become_those_of_their_models():
    report = Report([MODEL, FILE, INT8], baseline="lite", choice=Choice("lite", "why"))
    shown = as_shown(report)
    assert (shown.baseline, shown.choice) == ("student", Choice("student", "why"))
    assert [row.name for row in shown.rows] == ["student", "int8"]
    assert as_shown(replace(report, baseline="int8", choice=Choice("int8", "why"))).baseline == "int8"


def test_every_format_shows_one_row_and_json_keeps_both(models, files, data, tmp_path):
    report = compare(data, student=models[1], lite=files["float32"], int8=files["int8"])
    names = ["student", "int8"]
    assert [line.split()[0] for line in str(report).splitlines()[2:4]] == names
    assert "note: student: the row stands for its file 'lite', too" in str(report)
    text = {suffix: report.save(tmp_path / f"r{suffix}").read_text() for suffix in (".md", ".html", ".json")}
    assert [row[0] for row in Tables(text[".html"]).tables["figures"][1:]] == names
    title = f"# {report.meta.title}"
    assert [row[0] for row in markdown_table(text[".md"], title)[1:]] == names
    assert [row.name for row in Report.load(tmp_path / "r.json").rows] == ["student", "lite", "int8"]
    assert report.not_measured == (NotMeasured("agreement, smaller and faster", "no baseline was given"),)
