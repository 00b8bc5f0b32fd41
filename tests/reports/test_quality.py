"""By what rows are judged."""

import dataclasses

import pytest

from keras_kd.reports import Row
from keras_kd.reports.quality import Quality, is_error, metric_of, quality_of


@pytest.mark.parametrize(
    ("metric", "error"),
    [
        ("mean_absolute_error", True),
        ("root mean squared error", True),
        ("sparse_categorical_crossentropy", True),
        ("MAE", True),
        ("AUC", False),
        ("accuracy", False),
        ("neg_mean_squared_error", False),
        ("error_free_share", False),
        ("", False),
    ],
)
def test_less_of_an_error_is_better(metric, error):
    assert is_error(metric) is error


ROW = Row(
    "a",
    "int8",
    0.5,
    accuracy_low=0.25,
    accuracy_high=0.75,
    metric="mean_absolute_error",
    metric_value=2.0000001,
    metric_low=1.5,
    metric_high=2.5,
)


@pytest.mark.parametrize(
    ("quality", "axis", "value", "ends", "score", "text"),
    [
        (Quality(), "accuracy (%)", 50.0, [25.0, 75.0], 0.5, "50.00 %"),
        (
            Quality("mean_absolute_error"),
            "mean absolute error (lower is better)",
            2.0000001,
            [1.5, 2.5],
            -2.0,
            "2",
        ),
    ],
)
def test_figures_of_a_row(quality, axis, value, ends, score, text):
    assert (quality.axis, quality.value(ROW), quality.ends(ROW)) == (axis, value, ends)
    assert (quality.score(ROW), quality.text(value), quality.is_known) == (score, text, True)


def test_the_accuracy_comes_before_what_was_asked_for():
    assert metric_of([ROW, Row("b", "int8")]) == Quality("mean_absolute_error")
    assert quality_of([ROW, Row("b", "int8")]) == quality_of([Row("b", "int8")]) == Quality()
    assert quality_of([dataclasses.replace(ROW, accuracy=None)]) == Quality("mean_absolute_error")
    assert not Quality("AUC").is_known
    assert Quality("AUC").axis == "AUC"


def test_nothing_is_made_up_for_what_was_not_measured():
    empty = Row("b", "int8")
    for quality in (Quality(), Quality("mae")):
        assert (quality.value(empty), quality.ends(empty), quality.score(empty)) == (None, [], None)
