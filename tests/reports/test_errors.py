"""How far the mean of errors is known."""

import keras
import numpy as np
import pytest
from scipy import stats

from keras_kd.reports import compare
from keras_kd.reports.errors import Errors

RNG = np.random.default_rng(0)
LABELS, OUTPUTS = RNG.normal(size=(2, 300, 3)).astype("float32") + 2


@pytest.mark.parametrize(
    ("metric", "error"),
    [
        ("mean_absolute_error", np.abs),
        ("mean_squared_error", np.square),
    ],
)
@pytest.mark.parametrize("columns", [None, 0])
def test_the_interval_is_that_of_scipy(metric, error, columns):
    labels, outputs = (LABELS, OUTPUTS) if columns is None else (LABELS[:, 0], OUTPUTS[:, :1])
    each = error(labels.reshape(outputs.shape) - outputs).mean(1)
    errors = Errors(metric)
    for i in range(0, 300, 128):  # the last batch is smaller
        errors.add(labels[i : i + 128], outputs[i : i + 128])
    wanted = stats.ttest_1samp(each, 0).confidence_interval(0.95)
    assert errors.interval(float(each.mean())) == pytest.approx(tuple(wanted), rel=1e-4)


@pytest.mark.parametrize(
    ("metric", "samples", "outputs", "mean"),
    [
        ("AUC", 300, OUTPUTS, 0.5),
        (None, 300, OUTPUTS, 0.5),
        ("mean_absolute_error", 1, OUTPUTS, float(np.abs(LABELS[0] - OUTPUTS[0]).mean())),
        ("mean_absolute_error", 0, OUTPUTS, 0.5),
        ("mean_absolute_error", 300, OUTPUTS[:, :2], 0.5),  # labels that are read otherwise
        ("mean_absolute_error", 300, OUTPUTS, 77.0),  # a function of that name computes something else
        ("mean_absolute_error", 300, OUTPUTS * np.nan, float("nan")),
    ],
)
def test_no_interval_of_what_is_not_the_mean_of_errors(metric, samples, outputs, mean):
    errors = Errors(metric)
    if samples:
        errors.add(LABELS[:samples], outputs[:samples])
    assert errors.interval(mean) is None


def test_an_error_is_never_known_to_be_below_zero():
    errors = Errors("mean_absolute_error")
    errors.add(np.zeros((3, 1)), np.array([[0.0], [0.0], [9.0]]))
    low, high = errors.interval(3.0)
    assert low == 0
    assert high > 9


@pytest.mark.parametrize("metric", ["mae", keras.metrics.MeanAbsoluteError()])
def test_a_comparison_has_the_interval_of_each_row(metric):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    row = compare((LABELS, LABELS[:, 0]), model=model, metric=metric)["model"]
    each = np.abs(model.predict(LABELS, verbose=0)[:, 0] - LABELS[:, 0])
    half = stats.sem(each) * stats.t.ppf(0.975, 299)
    assert (row.metric_high - row.metric_low) / 2 == pytest.approx(half, rel=1e-3)
    assert row.metric_low < row.metric_value < row.metric_high
