"""What a report concludes, in words."""

import dataclasses

import pytest

from keras_kd.reports import Report, Row, card
from keras_kd.reports.verdict import Choice, Verdict

TEACHER = Row("teacher", "keras", 0.98, bytes=409600, median_ms=1.0)
STUDENT = Row("student", "keras", 0.96, bytes=40960)
INT8 = Row(
    "int8",
    "int8",
    0.9606,
    bytes=10240,
    median_ms=0.0123,
    accuracy_low=0.95,
    accuracy_high=0.97,
    source="student",
    path="runs/student.tflite",
)
VERDICT = Verdict("hurt", "Distillation hurt.", -0.03, -0.04, -0.01, 0.01, "exact McNemar test")


def test_the_file_to_ship_with_its_figures():
    report = Report([TEACHER, STUDENT, INT8], "teacher", choice=Choice("int8", "The smallest."))
    assert str(card.chosen(report)) == (
        "student.tflite: 10.0 KiB, accuracy 96.06 ± 1.0 %, 12.3 µs per call "
        "(1.94 points lost against teacher, 0.06 points gained against student)"
    )
    assert card.sentences(report) == [f"ship: {card.chosen(report)}", "why: The smallest."]
    assert card.others(report) == []


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"accuracy": 0.98, "source": None}, "(as accurate as teacher)"),
        ({"accuracy": None, "metric": "AUC", "metric_value": 0.9}, "student.tflite: 10.0 KiB, AUC 0.9, "),
        ({"path": None, "bytes": None, "median_ms": None}, "int8: accuracy 96.06 ± 1.0 % ("),
        ({"disturbance": "62 %"}, "12.3 µs per call (the machine was busy) ("),
        ({"source": "unknown"}, "(1.94 points lost against teacher)"),
    ],
)
def test_the_card_says_what_there_is(changes, text):
    rows = [TEACHER, STUDENT, dataclasses.replace(INT8, **changes)]
    assert text in str(card.chosen(Report(rows, "teacher", choice=Choice("int8", "The smallest."))))


def measured(metric, value, **figures):
    return {"accuracy": None, "accuracy_low": None, "metric": metric, "metric_value": value, **figures}


@pytest.mark.parametrize(
    ("own", "source", "text"),
    [
        (
            measured("mean_absolute_error", 5.25, metric_low=5.0, metric_high=5.5),
            5.25,
            "mean absolute error (lower is better) 5.25 ± 0.25, 12.3 µs per call "
            "(0.25 lost in mean absolute error against teacher, as accurate as student)",
        ),
        (measured("mae", 4.0), 4.75, "(1 gained in mae against teacher, 0.75 gained in mae against student)"),
        (measured("AUC", 0.9), 0.75, "AUC 0.9, 12.3 µs per call (AUC of teacher: 5, AUC of student: 0.75)"),
    ],
)
def test_a_metric_is_stated_as_an_accuracy_is(own, source, text):
    others = [dataclasses.replace(TEACHER, **measured(own["metric"], 5.0))]
    others.append(dataclasses.replace(STUDENT, **measured(own["metric"], source)))
    rows = [*others, dataclasses.replace(INT8, **own)]
    assert text in str(card.chosen(Report(rows, "teacher", choice=Choice("int8", "The smallest."))))


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [
        ("mae", 4.0, "(1.94 points lost against teacher, 1 gained in mae against teacher)"),
        ("mae", 5.0, "(1.94 points lost against teacher, the same mae as teacher)"),
        ("AUC", 0.9, "(1.94 points lost against teacher, AUC of teacher: 5)"),
    ],
)
def test_points_of_accuracy_come_before_what_a_metric_says(metric, value, text):
    teacher = dataclasses.replace(TEACHER, metric=metric, metric_value=5.0)
    file = dataclasses.replace(INT8, metric=metric, metric_value=value)
    assert text in str(
        card.chosen(Report([teacher, file], "teacher", choice=Choice("int8", "The smallest.")))
    )


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ([TEACHER, STUDENT], ""),
        ([INT8], "none is known to be as accurate as the model it was made from"),
        ([dataclasses.replace(INT8, accuracy_low=None)], ""),  # of an earlier version
        (
            [Row("int8", "int8", metric="mean_absolute_error", metric_value=1.0)],
            "weigh mean absolute error against size and time",
        ),
        ([Row("int8", "int8", bytes=5)], "there is no accuracy to judge the files by"),
    ],
)
def test_why_there_is_nothing_to_ship(rows, text):
    report = Report(rows)
    assert text in card.without_choice(report)
    assert card.sentences(report) == [card.without_choice(report)] * bool(text)


def test_the_verdict_comes_first():
    report = Report([TEACHER, INT8], verdict=VERDICT, choice=Choice("int8", "The smallest."))
    assert card.sentences(report)[0] == "verdict: Distillation hurt."
    lines = str(report).splitlines()
    assert lines[lines.index("") + 1] == "verdict: Distillation hurt."


def test_without_a_choice_a_few_rows_speak_for_themselves():
    assert [str(other) for other in card.others(Report([TEACHER, STUDENT], "teacher"))] == [
        "student: 40.0 KiB, accuracy 96.00 % (2.00 points lost against teacher)"
    ]
    many = [dataclasses.replace(STUDENT, name=str(i)) for i in range(9)]
    assert card.others(Report(many)) == card.others(Report([Row("a", "keras")])) == []


def test_a_useless_file_is_not_shipped():
    verdict = dataclasses.replace(VERDICT, nothing_to_ship="a constant is as good.")
    report = Report([TEACHER, STUDENT, INT8], "teacher", verdict=verdict)
    assert card.sentences(report)[1:] == ["Nothing to ship yet: a constant is as good."]


@pytest.mark.parametrize(
    ("effect", "p", "words"),
    [
        ("inconclusive", 0.3, "No clear difference"),
        ("inconclusive", 0.001, "Next to no difference"),
        ("hurt", 0.001, "It hurt"),
    ],
)
def test_the_badge_does_not_contradict_the_sentence(effect, p, words):
    assert card.badge(dataclasses.replace(VERDICT, effect=effect, p=p)) == words
