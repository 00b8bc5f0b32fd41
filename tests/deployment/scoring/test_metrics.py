"""Metrics of one's own, against Keras, scikit-learn and NumPy."""

import threading

import keras
import numpy as np
import pytest
from sklearn.metrics import f1_score, r2_score, roc_auc_score

from keras_kd.deployment.scoring.metrics import make_measure

RNG = np.random.default_rng(0)
Y, GOOD, BAD = RNG.normal(size=(3, 50, 2)).astype("float32")
YES = RNG.integers(0, 2, 50)
SURE = np.clip(YES + RNG.normal(size=50), 0, 1).astype("float32")


def measured(metric, labels, *models):
    measure = make_measure(metric)
    for rows in (slice(0, 20), slice(20, None)):
        for number, outputs in enumerate(models):
            measure.add(str(number), labels[rows], outputs[rows])
    return measure.name, [measure.value(str(number)) for number in range(len(models))]


def squared(y_true, y_pred):
    return ((y_true - y_pred) ** 2).mean(-1)


def median(y_true, y_pred):
    return np.median(np.abs(y_true - y_pred))


@pytest.mark.parametrize(
    ("metric", "name", "wanted"),
    [
        ("mae", "mean_absolute_error", lambda y, p: np.abs(y - p).mean()),
        (keras.metrics.MeanSquaredError(name="mine"), "mine", lambda y, p: ((y - p) ** 2).mean()),
        (keras.metrics.MeanSquaredError, "mean_squared_error", lambda y, p: ((y - p) ** 2).mean()),
        (keras.metrics.R2Score(), "r2_score", r2_score),
        (r2_score, "r2_score", r2_score),
        (squared, "squared", lambda y, p: ((y - p) ** 2).mean()),
        (median, "median", lambda y, p: np.median(np.abs(y - p))),
        (keras.metrics.mean_absolute_error, "mean_absolute_error", lambda y, p: np.abs(y - p).mean()),
    ],
)
def test_one_metric_counts_for_several_models_over_batches(metric, name, wanted):
    found, values = measured(metric, Y, GOOD, BAD)
    assert found == name
    assert values == pytest.approx([wanted(Y, GOOD), wanted(Y, BAD)], rel=1e-5)


class Median(keras.metrics.Metric):
    """Keeps everything in a list, as wrappers around other libraries do."""

    def __init__(self, **held):
        super().__init__(name=type(self).__name__.lower())
        self.parts, self.held = [], held

    def reset_state(self):
        self.parts.clear()

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.parts.append(np.abs(y_true - y_pred))

    def result(self):
        return np.median(np.concatenate(self.parts))


class Failing(Median):
    def result(self):
        raise RuntimeError("only one class is there")


class Several(Median):
    def result(self):
        return {"a": 1.0, "b": 2.0}


class Duck:
    """No metric of Keras, with the methods of one."""

    name = "duck"
    __init__ = reset_state = lambda self: setattr(self, "parts", [])
    update_state, result = Median.update_state, Median.result


@pytest.mark.parametrize("metric", [Median(), Median, Median(lock=threading.Lock()), Duck()], ids=repr)
def test_state_that_is_in_no_variable(metric):
    _, values = measured(metric, Y, GOOD, BAD)
    assert values == pytest.approx([np.median(np.abs(Y - GOOD)), np.median(np.abs(Y - BAD))])


def test_one_metric_for_outputs_of_several_sizes():
    metric = keras.metrics.F1Score("macro")
    measures = [make_measure(metric) for _ in range(2)]
    for classes, measure in zip((3, 5), measures, strict=True):
        labels, outputs = np.eye(classes)[np.arange(50) % classes], RNG.random((50, classes))
        measure.add("0", labels, outputs)
        wanted = f1_score(labels.argmax(1), outputs.argmax(1), average="macro")
        assert measure.value("0") == pytest.approx(wanted)


def test_samples_of_several_lengths():
    batches = [(np.ones((4, size)), np.full((4, size), 0.5 * size)) for size in (3, 1)]
    values = {}
    for metric in ("mae", median):
        values[metric] = make_measure(metric)
        for labels, outputs in batches:
            values[metric].add("0", labels, outputs)
    assert values["mae"].value("0") == pytest.approx((12 * 0.5 + 4 * 0.5) / 16)
    with pytest.raises(ValueError, match=r"'median' is a function, .* shapes: \(1,\) and \(1,\), \(3,\) and"):
        values[median].value("0")


def test_area_under_the_curve():
    name, (value,) = measured(keras.metrics.AUC(num_thresholds=2000, name="auc"), YES, SURE[:, None])
    assert name == "auc"
    assert value == pytest.approx(roc_auc_score(YES, SURE), abs=0.01)


def test_a_metric_that_is_used_afterwards_starts_anew():
    metric = keras.metrics.MeanAbsoluteError()
    measured(metric, Y, GOOD, BAD)
    metric.update_state(Y, Y)
    assert float(metric.result()) == 0


@pytest.mark.parametrize(
    ("metric", "error", "message"),
    [
        ("mean_absolut_error", ValueError, "Unknown metric .*Did you mean 'mean_absolute_error'"),
        ("MeanIoU", ValueError, "'MeanIoU' needs arguments: pass the metric itself"),
        (keras.metrics.MeanIoU, ValueError, "MeanIoU needs arguments"),
        (dict, TypeError, "dict is not a Keras metric"),
        (3, TypeError, r"function \(y_true, y_pred\); received int"),
    ],
)
def test_metrics_that_are_none(metric, error, message):
    with pytest.raises(error, match=message) as raised:
        make_measure(metric)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        (
            keras.metrics.F1Score(),
            r"'f1_score' gives values of shape \(2,\); expected one number\. .*average=",
        ),
        (lambda y, p: p[:3], r"gives values of shape \(3, 2\)"),
        (lambda y, p: 1 / 0, r"fails on labels of shape \(50, 2\) .*: division by zero"),
        (Failing(), "metric='failing' fails: only one class is there$"),
        (Failing(lock=threading.Lock()), "metric='failing' fails: only one class is there$"),
        (Several(), "metric='several' gives dict; expected one number"),
        (keras.metrics.SparseTopKCategoricalAccuracy(k=1, name="top"), r"'top' fails on labels of shape"),
    ],
)
def test_metrics_that_fail_are_named(metric, message):
    with pytest.raises(ValueError, match=message):
        measured(metric, Y, np.concatenate([GOOD, GOOD, GOOD], 1)[:, :2] * 1000)
