"""Scores of models with the same outputs."""

import keras
import numpy as np
from keras import layers

from keras_kd.compression.sensitivity.yardstick import Batch, Yardstick, runner_of
from keras_kd.deployment.scoring.evidence import Evidence

X = np.eye(4, dtype="float32")


def model(name="head"):
    inputs = keras.Input((4,))
    made = keras.Model(inputs, layers.Dense(4, use_bias=False, name=name)(inputs))
    made.layers[-1].kernel.assign(np.eye(4))
    return made


def yardstick(score, batches):
    return Yardstick(score, "head", 0, 1, "accuracy", Evidence(), batches)


def test_batches_count_by_their_rows():
    labels = np.array([0, 1, 2, 0])
    found = yardstick("accuracy", [Batch(X[:3], labels[:3], None), Batch(X[3:], labels[3:], None)])
    assert found.samples == 4
    assert [len(x) for x in found.inputs] == [3, 1]
    assert found.measure(runner_of(model())) == 0.75


def test_agreement_is_with_what_the_original_gave():
    found = yardstick("agreement", [Batch(X, None, np.eye(4, dtype="float32")[[0, 1, 3, 2]])])
    assert found.measure(runner_of(model("another"))) == 0.5


def test_a_runner_reads_the_weights_of_the_time():
    made = model()
    run = runner_of(made)
    assert run(X)["head"].trace() == 4
    made.layers[-1].kernel.assign(2 * np.eye(4))
    assert run(X)["head"].trace() == 8
