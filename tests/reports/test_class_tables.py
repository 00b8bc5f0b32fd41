"""Figures by class and confusions, as rows of text."""

import dataclasses

import pytest

from keras_kd.reports import Report, Row
from keras_kd.reports.class_tables import class_table, confusion_tables, note, rows_in_focus
from keras_kd.reports.verdict import Choice, ClassFigures, Confusion
from tests.reports.formats import Tables, markdown_table

ROWS = [
    Row("teacher", "keras"),
    Row("student", "keras"),
    Row("float32", "float32", source="student"),
    Row("int8", "int8", source="student"),
    Row("other", "int8"),
]
CLASSES = [
    ClassFigures("cat", 10, {"teacher": 0.9, "student": 0.8, "float32": 0.8, "int8": 0.7, "other": 0.1}),
    ClassFigures("dog", 40, {"teacher": 1.0, "student": 0.5, "float32": 0.5, "int8": 0.5, "other": 0.2}),
    ClassFigures("cow", 0, {}),
]
CONFUSIONS = [Confusion(name, "cat", "dog", 3) for name in ("teacher", "int8", "other")]
REPORT = Report(ROWS, "teacher", choice=Choice("int8", "why"), classes=CLASSES, confusions=CONFUSIONS)


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        ("int8", ["int8", "student", "teacher"]),
        ("other", ["other", "teacher"]),
        (None, ["teacher", "student", "float32", "int8"]),
    ],
)
def test_the_rows_that_matter(choice, names):
    chosen = None if choice is None else Choice(choice, "why")
    assert rows_in_focus(dataclasses.replace(REPORT, choice=chosen)) == names


def test_the_worst_class_comes_first():
    assert class_table(REPORT) == [
        ["Class", "Samples", "int8", "student", "teacher"],
        ["dog", "40", "50.0 %", "50.0 %", "100.0 %"],
        ["cat", "10", "70.0 %", "80.0 %", "90.0 %"],
    ]
    assert note(REPORT) == "The smallest class has 10 samples: there, one sample is 10.0 points."


def test_confusions_of_the_file_to_ship_and_of_the_baseline():
    assert confusion_tables(REPORT) == {
        name: [["Class", "Taken for", "Samples"], ["cat", "dog", "3"]] for name in ("int8", "teacher")
    }
    of_none = dataclasses.replace(REPORT, choice=None, baseline=None, confusions=CONFUSIONS[:1])
    assert list(confusion_tables(of_none)) == ["teacher"]


def test_a_report_without_classes():
    assert (class_table(Report(ROWS)), confusion_tables(Report(ROWS))) == ([], {})


def test_page_and_markdown_hold_the_same_classes(tmp_path):
    page = REPORT.save(tmp_path / "r.html").read_text(encoding="utf-8")
    text = REPORT.save(tmp_path / "r.md").read_text(encoding="utf-8")
    assert Tables(page).tables["classes"] == markdown_table(text, "## Classes")
    assert Tables(page).tables["confusions-1"] == markdown_table(text, "### What teacher confuses most")
