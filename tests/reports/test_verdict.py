"""The conclusions of a report: they are kept, and they speak of its rows."""

import dataclasses

import numpy as np
import pytest

from keras_kd.reports import Report
from keras_kd.reports.paired_test import compare_scores
from keras_kd.reports.verdict import Choice, ClassFigures, Confusion, Verdict


def right(*indices):
    scores = np.ones(100)
    scores[list(indices)] = 0
    return scores


@pytest.mark.parametrize(
    ("first", "second", "effect"),
    [
        (right(), right(*range(20)), "helped"),
        (right(3), right(4), "inconclusive"),
        (right(*range(20)), right(), "hurt"),
    ],
)
def test_a_verdict_has_three_cases(first, second, effect):
    verdict = Verdict.of_test(compare_scores(first, second), "a sentence")
    assert verdict.effect == effect
    assert verdict.low <= verdict.difference <= verdict.high


def test_conclusions_are_saved_and_loaded(report, tmp_path):
    concluded = dataclasses.replace(
        report,
        verdict=Verdict.of_test(compare_scores(right(), right(*range(20))), "It helped."),
        choice=Choice("int8", "the smallest"),
        classes=[ClassFigures("shoe", 10, {"int8": 0.9})],
        confusions=[Confusion("int8", "shoe", "boot", 2)],
        snippets={"Python": "print()"},
    )
    assert Report.load(concluded.save(tmp_path / "r.json")) == concluded


def test_the_choice_is_one_of_the_rows(report):
    with pytest.raises(ValueError, match=r"choice must be one of the rows .* Received: 'int9'"):
        dataclasses.replace(report, choice=Choice("int9", "it is not there"))
