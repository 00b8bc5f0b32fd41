"""Sentences and cells about speed: what is claimed, what is withheld, and why."""

from dataclasses import replace

import pytest

from keras_kd.reports import Report, Row
from keras_kd.reports.speed import (
    busy_sentence,
    speed_sentence,
    speed_sentences,
    speedup_text,
    with_speed_notes,
)

TEACHER = Row(
    "teacher",
    "keras",
    median_ms=1.0,
    median_low_ms=0.98,
    median_high_ms=1.02,
    speedup=1.0,
    speedup_low=0.95,
    speedup_high=1.05,
)
BUSY = "other programs held the processor for 62 % of the time"


def row(name, low, high, kind="int8", **figures):
    """A row that is so many times as fast as the teacher."""
    middle = (low * high) ** 0.5
    times = {"median_ms": 1 / middle, "median_low_ms": 1 / high, "median_high_ms": 1 / low}
    return Row(name, kind, **times, speedup=middle, speedup_low=low, speedup_high=high, **figures)


@pytest.mark.parametrize(
    ("low", "high", "sentence", "cell"),
    [
        (22.4, 24.9, "a is 22 to 25 times as fast as teacher.", "24x"),
        (1.523, 1.687, "a is 1.5 to 1.7 times as fast as teacher.", "1.6x"),
        (1.06, 1.17, "a is 1.06 to 1.17 times as fast as teacher.", "1.1x"),
        (1.02, 1.4, "a is 1.02 to 1.40 times as fast as teacher.", "1.2x"),
        (1.001, 1.2, "a and teacher do not differ in speed beyond noise (20 %).", "same"),
        (1140, 1420, "a is 1,100 to 1,500 times as fast as teacher.", "1,300x"),
        (0.065, 0.071, "a takes 14 to 16 times as long as teacher on this processor.", "0.068x"),
        (0.97, 1.07, "a and teacher do not differ in speed beyond noise (7 %).", "same"),
        (0.7, 1.1, "How the speeds of a and teacher compare is not known: the times vary too much.", "~"),
    ],
)
def test_what_a_ratio_says(low, high, sentence, cell):
    assert speed_sentence(row("a", low, high), TEACHER) == sentence
    assert speedup_text(row("a", low, high)) == cell


def test_a_ratio_without_an_interval():
    assert speedup_text(Row("a", "int8", median_ms=0.06, speedup=16.8)) == "17x"  # saved by earlier versions
    assert speedup_text(Row("a", "int8", median_ms=1.0, speedup=0.98)) == "same"
    assert speedup_text(TEACHER) == speedup_text(replace(TEACHER, disturbance=BUSY)) == "1x"
    few = Row("a", "int8", median_ms=0.1)
    sentence = "How the speeds of a and teacher compare is not known: too few calls were timed."
    assert speed_sentence(few, TEACHER) == sentence


@pytest.mark.parametrize("which", ["row", "reference"])
def test_nothing_is_claimed_of_a_busy_machine(which):
    fast, teacher = row("a", 22, 25), TEACHER
    if which == "row":
        fast = replace(fast, disturbance=BUSY, speedup_low=None, speedup_high=None)
    else:
        fast, teacher = replace(fast, speedup_low=None, speedup_high=None), replace(TEACHER, disturbance=BUSY)
    sentence = "How the speeds of a and teacher compare is not known: the machine was busy."
    assert speed_sentence(fast, teacher) == sentence
    assert speedup_text(fast) == "~"
    assert (
        with_speed_notes([teacher, replace(fast, median_low_ms=8, median_high_ms=9)], "teacher")[1].notes
        == ()
    )


def test_rows_that_are_not_the_baseline():
    first, second = row("int8", 20, 21), row("float32", 10, 10.5, "float32")
    assert speed_sentence(first, second) == "int8 is 1.8 to 2.3 times as fast as float32."
    assert speed_sentence(first, second, noise=0.5) == "int8 is 1.2 to 3.2 times as fast as float32."
    vary = "How the speeds of int8 and float32 compare is not known: the times vary too much."
    assert speed_sentence(first, second, noise=1.0) == vary


def test_a_sentence_for_every_row_that_was_timed():
    rows = [TEACHER, row("a", 2, 3), Row("b", "int8"), row("c", 4, 5)]
    assert speed_sentences(rows, "teacher") == [
        "a is 2.0 to 3.0 times as fast as teacher.",
        "c is 4.0 to 5.0 times as fast as teacher.",
    ]
    assert speed_sentences(rows, None) == speed_sentences(rows, "b") == []


@pytest.mark.parametrize(
    ("source", "files", "notes"),
    [
        (None, ["float32"], 2),
        ("student", ["float32"], 2),
        ("student", [], 2),
        ("student", ["float32", "other"], 2),
        (None, ["float32", "other"], 0),
        (None, [], 0),
    ],
    ids=["only file", "file", "model", "own file", "two files", "none"],
)
def test_a_file_that_is_slower_than_float32_has_a_note(source, files, notes):
    student = row("student", 20, 21, "keras")
    floats = [row(name, 20, 21, "float32", source=source if name == "float32" else "b") for name in files]
    if source is None:
        floats = [replace(file, source=None) for file in floats]
    int8 = row("int8", 13, 14, "int8", source=source, notes=("First.",))
    wide = row("int16x8", 1.3, 1.4, "int16x8", source=source)
    found = with_speed_notes([TEACHER, student, *floats, int8, wide, row("d", 30, 31, "dynamic")], "teacher")
    of = "float32" if files else "student"
    noted = {row.name: row.notes[-1] for row in found if row.notes and row.notes[-1] != "First."}
    assert noted == (
        {
            "int8": f"Takes 1.3 to 1.7 times as long as {of} on this processor.",
            "int16x8": f"Takes 13 to 17 times as long as {of} on this processor: its 16-bit activations have "
            "no fast kernels here.",
        }
        if notes
        else {}
    )


def test_a_row_that_is_slower_than_the_baseline_has_a_note():
    (_, slow) = with_speed_notes([TEACHER, row("student", 0.4, 0.5, "keras")], "teacher")
    assert slow.notes == ("Takes 2.0 to 2.5 times as long as teacher on this processor.",)


def test_the_noise_of_the_machine_counts_between_files():
    noisy = replace(TEACHER, speedup_low=1 / 1.6, speedup_high=1.6)
    rows = [noisy, row("float32", 20, 21, "float32"), row("int8", 13, 14)]
    assert all(row.notes == () for row in with_speed_notes(rows, "teacher"))


def test_a_busy_machine_is_named_once_wherever_the_report_is_read():
    rows = [TEACHER, row("a", 2, 3), replace(row("b", 2, 3, notes=("Odd.",)), disturbance=BUSY)]
    sentence = (
        "The machine was busy while timing (b, c: other programs held the processor for 62 % of the time). "
        "These times are not to be relied on: run again when it is idle."
    )
    rows.append(replace(rows[-1], name="c", notes=()))
    assert busy_sentence(rows) == sentence
    assert busy_sentence(rows[:2]) is None
    assert f"\nnote: {sentence}\nnote: b: Odd." in str(Report(rows, baseline="teacher"))
