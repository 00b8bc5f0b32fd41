"""The sentences of the main job: what they say follows from the figures."""

import re

import numpy as np
import pytest

from keras_kd.jobs import findings
from keras_kd.jobs.selection import Selection
from keras_kd.jobs.tasks import Task
from keras_kd.jobs.trainings import Trained
from keras_kd.reports import Report, Row


def right(share, shift=0, samples=200):
    return np.roll(np.repeat([1.0, 0.0], [round(share * samples), samples - round(share * samples)]), shift)


def selection(distilled, alone, tap="output"):
    students = [
        Trained(kind, seed, f"{kind}{seed}.keras", {tap: scores}, {tap: scores})
        for kind, each in (("alone", alone), ("distilled", distilled))
        for seed, scores in enumerate(each)
    ]
    return Selection(students, tap)


@pytest.mark.parametrize(
    ("distilled", "alone", "effect", "words"),
    [
        (
            [right(0.9)],
            [right(0.8)],
            "helped",
            r"^Distillation helped: accuracy 90.00 % with the teacher, 80.00 % alone, on 200 test samples "
            r"\(\+10.00 points, 95 % interval \+[\d.]+ to \+[\d.]+; exact McNemar test, p < 0.001\).$",
        ),
        (
            [right(0.9)],
            [right(0.9, 5)],
            "inconclusive",
            r"no difference that chance does not explain: .*\(\+0.00 points.*, p = 1\). More seeds \(--s",
        ),
        (
            [right(0.7)],
            [right(0.9)],
            "hurt",
            r"^Distillation hurt: .*\(-20.00 points.*\). The files are those of the student trained alone.$",
        ),
        (
            [right(0.9), right(0.92)],
            [right(0.7), right(0.69)],
            "helped",
            r"on 200 test samples, 2 seeds \(\+21.50 points.*t-test over samples and 2 seeds",
        ),
        ([right(0.9)] * 5, [right(0.9)] * 5, "inconclusive", r"\. More test samples give a firmer answer.$"),
    ],
)
def test_the_verdict_says_what_was_found(distilled, alone, effect, words):
    verdict = findings.judge(selection(distilled, alone), Task("classes"))
    assert verdict.effect == effect
    assert re.search(words, verdict.text), verdict.text


def test_of_errors_less_is_better():
    rng = np.random.default_rng(0)
    task = Task("numbers", "output/age", "age")
    errors = -rng.random(300)
    verdict = findings.judge(selection([errors], [errors - 0.5], task.tap), task)
    assert verdict.effect == "helped"
    assert re.search(
        r"helped for 'age': mean absolute error 0.54\d* with the teacher, 1.04\d* alone.*"
        r"\(-0.5, 95 % interval -0.5 to -0.5; paired t-test",
        verdict.text,
    ), verdict.text


@pytest.mark.parametrize(
    ("distilled", "alone", "words"),
    [
        (
            [0.9],
            [0.8],
            "^Files are made from the student that was distilled: .* is 90.00 %, that of .* one 80.00 %.$",
        ),
        ([0.8], [0.9], "^Files are made from the student trained alone: "),
        ([0.9], [0.9], "trained alone: on validation data both have the accuracy 90.00 %.$"),
        (
            [0.9, 0.95],
            [0.8, 0.8],
            r"mean accuracy is 92.50 %, .*\. Of 2 seeds, it is seed 1, the best\.$",
        ),
        ([0.8, 0.8], [0.9, 0.9], r"Of 2 seeds, it is seed 0, the first: all are equal\.$"),
        ([0.7] * 3, [0.8, 0.9, 0.9], r"Of 3 seeds, it is seed 1, the first of the best\.$"),
    ],
)
def test_files_are_of_the_better_student(distilled, alone, words):
    chosen = selection([right(share) for share in distilled], [right(share) for share in alone])
    assert re.search(words, findings.made_from(chosen, Task("classes")))


def test_a_mean_of_mean_errors_is_named_once():
    errors = [np.full(10, -0.5), np.full(10, -0.25)]
    text = findings.made_from(selection(errors, [one - 1 for one in errors]), Task("numbers"))
    assert "on validation data its mean absolute error is 0.375, that of the other one 1.375." in text
    assert text.endswith("Of 2 seeds, it is seed 1, the best.")


def test_what_regressions_have_no_agreement_of():
    verified = {
        "int8": {"agreement": None, "max_error": 0.123},
        "float32": {"agreement": None, "max_error": 1e-7},
    }
    assert findings.agreements(verified).endswith("on test samples: int8 0.12, float32 1e-07.")


def test_a_verdict_does_not_ask_to_ship_what_has_no_files():
    scores = {"alone": (right(0.5), right(0.9)), "distilled": (right(0.6), right(0.7))}
    students = [
        Trained(kind, 0, f"{kind}.keras", {"output": validation}, {"output": test})
        for kind, (validation, test) in scores.items()
    ]
    verdict = findings.judge(Selection(students), Task("classes"))
    assert verdict.effect == "hurt"
    assert "files are those" not in verdict.text
    assert "Validation data says otherwise" in verdict.text


def test_a_larger_student_is_called_larger():
    rows = [
        Row("teacher", "keras", parameters=300, bytes=2000, median_ms=1.0),
        Row("student alone", "keras", parameters=900),
        Row("int8", "int8", bytes=4000, compression=0.5, median_ms=1.0),
    ]
    facts = findings.sizes(Report(rows, baseline="teacher"), "student alone", ["int8"])
    assert facts[0] == "The student has 900 parameters, 3.0 times more than the teacher's 300."
    assert facts[1].startswith("Its int8 file is 2.0 times larger than the teacher's float32 file.")


@pytest.mark.parametrize(
    ("teacher", "constant", "words"),
    [
        (0.95, 0.1, "More seeds"),
        (
            0.5,
            0.1,
            r"alone \(90.00 %\) is better than the teacher \(50.00 %\): only a better teacher can help it\.$",
        ),
    ],
)
def test_what_matters_more_than_the_difference(teacher, constant, words):
    yardsticks = findings.Yardsticks(right(teacher), right(constant, 3))
    verdict = findings.judge(selection([right(0.9)], [right(0.9, 5)]), Task("classes"), yardsticks)
    assert verdict.effect == "inconclusive"
    assert re.search(words, verdict.text), verdict.text


def test_a_hundredth_of_an_error_is_no_difference():
    errors = -np.random.default_rng(0).random(300)
    verdict = findings.judge(selection([errors], [errors - 1e-3]), Task("numbers"))
    assert verdict.effect == "inconclusive"
    assert verdict.text.startswith("Distillation made next to no difference: ")
    assert verdict.p < 0.001  # as it is: sure, and too little
    assert verdict.text.endswith("p < 0.001).")


@pytest.mark.parametrize(
    ("constant", "why"),
    [
        (
            0.9,
            r"^the better student's accuracy on test data is 90.00 %, and always .* has 90.00 %\. Train",
        ),
        (0.5, "^$"),
    ],
)
def test_a_student_no_better_than_a_constant_answer_is_not_shipped(constant, why):
    yardsticks = findings.Yardsticks(right(0.95), right(constant, 3))
    verdict = findings.judge(selection([right(0.9)], [right(0.9, 5)]), Task("classes"), yardsticks)
    assert re.search(why, verdict.nothing_to_ship), verdict.nothing_to_ship


@pytest.mark.parametrize(
    ("distilled", "teacher", "said"),
    [
        ([right(0.7)], 0.97, True),  # hurt
        ([right(0.89)], 0.99, True),  # no difference, and a teacher that knows more
        ([right(0.89)], 0.9, False),  # no difference, and nothing more to learn
        ([right(0.99)], 0.99, False),  # helped
    ],
)
def test_what_to_try_is_said_of_a_student_that_is_behind(distilled, teacher, said):
    yardsticks = findings.Yardsticks(right(teacher), right(0.1))
    verdict = findings.judge(selection(distilled, [right(0.9)]), Task("classes"), yardsticks, "Try this.")
    assert verdict.text.endswith("Try this.") == said


def test_errors_that_differ_are_told_apart():
    chosen = selection([np.full(9, -150.31)], [np.full(9, -150.32)])
    assert "is 150.31, that of the other one 150.32." in findings.made_from(chosen, Task("numbers"))
