"""The sentences of the main job: what they say follows from the figures."""

import re

import numpy as np
import pytest

from keras_kd.jobs import findings
from keras_kd.jobs.selection import Selection
from keras_kd.jobs.tasks import Task
from keras_kd.jobs.trainings import Trained


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
            r"^Distillation hurt: .*\(-20.00 points.*\). Ship the student that was trained alone.$",
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
            "^Files are made from the student that was distilled: .* 90.00 %, the other one 80.00 %.$",
        ),
        ([0.8], [0.9], "^Files are made from the student trained alone: "),
        ([0.9], [0.9], "both students have accuracy 90.00 %.$"),
        ([0.9, 0.95], [0.8, 0.8], r"that was distilled \(seed 1, the best of its kind\): .* 92.50 %"),
    ],
)
def test_files_are_of_the_better_student(distilled, alone, words):
    chosen = selection([right(share) for share in distilled], [right(share) for share in alone])
    assert re.search(words, findings.made_from(chosen, Task("classes")))


def test_what_regressions_have_no_agreement_of():
    verified = {
        "int8": {"agreement": None, "max_error": 0.123},
        "float32": {"agreement": None, "max_error": 1e-7},
    }
    assert findings.agreements(verified).endswith("on test samples: int8 0.12, float32 1e-07.")
