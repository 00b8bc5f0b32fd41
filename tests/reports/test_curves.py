"""Training curves: read back from the SVG of a page, and as text."""

import pytest

from keras_kd.reports import Report, Row
from keras_kd.reports.curves import curve_plots, curve_summary, is_share, source
from keras_kd.reports.page import page
from tests.reports.svg import drawings, groups, texts


@pytest.mark.parametrize(
    ("curves", "plots"),
    [
        ({}, 0),
        ({"a": {}}, 0),
        ({"a": {"loss": []}}, 0),
        ({"a": {"loss": [float("nan"), None]}}, 0),
        ({"a": {"loss": [1.0]}}, 1),
        ({"a": {"loss": [1.0, float("nan"), 0.5], "sparse_acc": [0.1, 0.1, 0.1]}}, 2),
        ({"other than a row": {"val_loss": [3.0, 2.0], "loss": [1.0, 0.0]}}, 1),
    ],
)
def test_curves(curves, plots):
    assert len(drawings(page(Report([Row("a", "keras")], curves=curves)))) == plots


def of_two_outputs(*more):
    keys = ["a_loss", "a_b_loss", "a_accuracy", "a_b_mean_absolute_error", "loss", "student_loss", *more]
    return {"m": {f"{prefix}{key}": [0.5, 0.25] for key in keys for prefix in ("", "val_")}}


@pytest.mark.parametrize(
    ("curves", "titles"),
    [
        (
            of_two_outputs("a_b_top5_error"),
            ["Accuracy of a", "Loss of a", "Mean absolute error of a_b", "Loss of a_b"],
        ),
        ({"m": {"loss": [1.0], "mean_absolute_error": [1.0], "mse": [1.0]}}, ["Mean absolute error", "Loss"]),
        ({"m": {"student_loss": [1.0], "kd_loss": [1.0], "loss": [1.0]}}, ["Loss"]),
        ({"m": {"mean_squared_error": [1.0], "accuracy": [1.0]}}, ["Accuracy"]),
        (
            {"m": {"acc_loss": [1.0], "b_loss": [1.0], "acc_mse": [1.0], "b_mae": [1.0], "b_mean": [1.0]}},
            ["Mse of acc", "Loss of acc", "Mae of b", "Loss of b"],
        ),
    ],
)
def test_each_output_has_plots_of_its_own(curves, titles):
    plots = curve_plots(curves, [])
    assert [plot.title for plot in plots] == titles
    assert [plot.is_loss for plot in plots] == [title.startswith("Loss") for title in titles]
    assert len({plot.svg for plot in plots}) == len(plots)


def test_the_axis_of_an_error_says_that_lower_is_better_and_losses_are_those_on_validation_data():
    _, loss, error, _ = [drawings(plot.svg)[0] for plot in curve_plots(of_two_outputs(), [])]
    assert "mean absolute error (lower is better)" in [text.text for text in error.iter("text")]
    assert [line.find("title").text for line in groups(loss, "line")] == ["m, val_a_loss"]


def test_a_curve_of_one_epoch_is_a_dot():
    (svg,) = drawings(page(Report([Row("a", "keras")], curves={"a": {"loss": [2.0]}})))
    (line,) = groups(svg, "line")
    assert len(list(line.iter("use"))) == 1


def test_training_losses_of_different_objectives_are_not_laid_side_by_side():
    curves = {"a": {"loss": [9.0, 8.0], "val_loss": [1.0, 0.5]}, "b": {"loss": [90.0, 80.0]}}
    (svg,) = drawings(page(Report([Row("a", "keras")], curves=curves)))
    assert texts(svg, "name") == ["a"]


@pytest.mark.parametrize(
    ("metric", "values", "share"),
    [
        ("accuracy", [0.5, None, 1.0], True),
        ("sparse_categorical_accuracy", [0.0], True),
        ("accuracy", [50.0, 98.0], False),  # percent already
        ("loss", [0.5], False),
    ],
)
def test_accuracies_are_percent(metric, values, share):
    curves = {"a": {metric: values, f"val_{metric}": values}}
    assert is_share(metric, curves) is share
    (svg,) = drawings(page(Report([Row("a", "keras")], curves=curves)))
    title = f"{metric} (%)" if share else metric
    assert title in [text.text for text in svg.iter("text")]
    assert svg.get("aria-label").startswith(f"{title} over {len(values)} epochs")
    last = f"{100 * values[-1]:.2f} %" if share else f"{values[-1]:.4g}"
    assert [row[-1] for row in curve_summary(curves)] == [last, last]


def test_the_name_of_an_output_makes_no_accuracy_of_an_error():
    keys = ("acceleration_loss", "speed_loss", "acceleration_mean_absolute_error", "speed_acc")
    curves = {"m": {f"{prefix}{key}": [0.25, 0.5] for key in keys for prefix in ("", "val_")}}
    assert [is_share(key, curves) for key in keys] == [False, False, False, True]
    assert not is_share("acceleration", {"m": {"acceleration": [0.5]}})
    lasts = {row[1]: row[-1] for row in curve_summary(curves)}
    assert lasts["val_acceleration_mean_absolute_error"] == "0.5"
    assert lasts["val_speed_acc"] == "50.00 %"
    error, _, accuracy, _ = [drawings(plot.svg)[0] for plot in curve_plots(curves, [])]
    assert "mean absolute error (lower is better)" in [text.text for text in error.iter("text")]
    assert "acc (%)" in [text.text for text in accuracy.iter("text")]


def test_a_curve_without_values_is_left_out():
    assert curve_summary({"a": {"loss": [], "accuracy": [None, 0.5]}}) == [
        ("a", "accuracy", "2", "–", "50.00 %")
    ]


@pytest.mark.parametrize(
    ("curves_of", "words"),
    [
        ([{"val_loss": [1.0], "loss": [1.0]}], "On the validation data."),
        ([{"loss": [1.0]}], "On the training data."),
        ([{"loss": [1.0]}, {"val_loss": [1.0]}], "On the validation data, or else the training data."),
    ],
)
def test_what_curves_were_measured_on(curves_of, words):
    assert source(dict(enumerate(curves_of))) == words
