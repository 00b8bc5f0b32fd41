"""Copies of metrics: the state of the original, and none of what it counts later."""

import threading

import keras
import numpy as np
import pytest
import tf_keras
from sklearn.metrics import fbeta_score

from keras_kd.deployment.scoring.metric_copies import copy_metric

RNG = np.random.default_rng(0)
Y = np.eye(3)[RNG.integers(0, 3, 40)]
P, Q = RNG.random((2, 40, 3)).astype("float32")


class Listing(keras.metrics.Metric):
    """Keeps its numbers in Python, says nothing of its arguments in a configuration, and holds others."""

    def __init__(self, power):
        super().__init__(name="listing")
        self.power, self.errors, self.count = power, {"all": []}, 0
        self.inner = [keras.metrics.FBetaScore("macro", beta=3.0)]
        self.features = keras.Sequential([keras.layers.Dense(2)])

    def update_state(self, y, p):
        self.errors["all"].append(np.abs(y - p) ** self.power)
        self.count += 1
        self.inner[0].update_state(y, p)

    def result(self):
        return float(np.mean(self.errors["all"])), self.count, float(self.inner[0].result())


def beta_score(y, p):
    return fbeta_score(y.argmax(1), p.argmax(1), average="macro", beta=3.0)


def test_state_in_python_variables_and_metrics_inside():
    metric = Listing(2)
    metric.update_state(Y, P)
    copied = copy_metric(metric)
    copied.update_state(Y, Q)
    assert metric.result() == pytest.approx((((Y - P) ** 2).mean(), 1, beta_score(Y, P)))
    both, wanted = np.concatenate([P, Q]), np.concatenate([Y, Y])
    assert copied.result() == pytest.approx((((wanted - both) ** 2).mean(), 2, beta_score(wanted, both)))
    assert copied.features is metric.features  # which may be large, and count nothing
    assert not {id(each) for each in metric.variables} & {id(each) for each in copied.variables}
    copied.reset_state()
    assert float(metric.inner[0].result()) == pytest.approx(beta_score(Y, P))


def test_each_copy_is_built_for_the_outputs_that_it_sees():
    metric = keras.metrics.F1Score()
    narrow, wide = copy_metric(metric), copy_metric(metric)
    narrow.update_state(Y, P)
    wide.update_state(np.eye(5)[Y.argmax(1)], np.eye(5)[Y.argmax(1)])
    assert (narrow.result().shape, wide.result().shape) == ((3,), (5,))


def test_metrics_of_tf_keras():
    known = tf_keras.metrics.FBetaScore("macro", beta=3.0)
    for outputs in (P, Q):
        copied = copy_metric(known)
        copied.update_state(Y, outputs)
        assert float(copied.result()) == pytest.approx(beta_score(Y, outputs))

    class Mine(tf_keras.metrics.Mean):
        """Of a class whose configuration may leave things out."""

    assert copy_metric(Mine()) is None


def test_what_has_no_copy():
    metric = keras.metrics.Mean()
    metric.lock = threading.Lock()
    assert copy_metric(metric) is None
    assert copy_metric(object()) is None
