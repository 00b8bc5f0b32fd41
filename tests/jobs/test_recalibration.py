"""BatchNorm statistics that lag: of which models they are renewed, and what is said of them."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import keras_kd as kd
from keras_kd.datasets.data import Split, make_data
from keras_kd.jobs.recalibration import (
    Renewal,
    StatisticsInTraining,
    describe_renewals,
    doubt_statistics,
)
from keras_kd.jobs.tasks import Task

X = np.random.default_rng(0).normal(3, 2, (512, 4)).astype("float32")
CLASSES = Task("classes")


def network(momentum=0.99, **options):
    norms = [layers.BatchNormalization(momentum=momentum, name=f"norm{i}", **options) for i in (1, 2)]
    return keras.Sequential([keras.Input((4,)), norms[0], layers.Dense(3, name="dense"), norms[1]])


def batches():
    return tf.data.Dataset.from_tensor_slices(X).batch(256)


def scores(accuracy, samples=100):
    return (np.arange(samples) < accuracy * samples).astype("float64")


def trained(model, steps=5):
    statistics = StatisticsInTraining(model)
    for _ in range(steps):
        model(X, training=True)
    return statistics


def test_after_a_short_training_they_are_those_of_the_data():
    model = network()
    statistics, before = trained(model), model.get_weights()
    expected = kd.recalibrate(model, X)
    renewal = statistics.renew(batches(), lambda: scores(0.5))
    assert renewal.gap > 1
    for now, same in zip(model.weights, expected.weights, strict=True):
        np.testing.assert_allclose(now, same, rtol=1e-5)
    assert not np.array_equal(model.get_weights()[2], before[2])


KEPT = {
    "arrived": lambda: network(0.1),
    "no BatchNorm": lambda: keras.Sequential([keras.Input((4,)), layers.Dense(3)]),
    "frozen": lambda: network(trainable=False),
}


@pytest.mark.parametrize("make", KEPT.values(), ids=KEPT)
def test_others_stay_bit_for_bit(make):
    model = make()
    statistics, before = trained(model), model.get_weights()
    assert statistics.renew(batches(), lambda: pytest.fail("judged")) is None
    for now, same in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, same)


def test_a_frozen_one_stays_and_the_next_reads_what_it_returns():
    model = network()
    frozen = model.get_layer("norm1")
    frozen.trainable = False
    frozen.moving_mean.assign([5.0, 5.0, 5.0, 5.0])
    statistics = trained(model)
    assert statistics.renew(batches(), lambda: scores(0.5)) is not None
    assert frozen.moving_mean.numpy().tolist() == [5.0] * 4
    read = model.get_layer("dense")(frozen(X, training=False)).numpy()
    np.testing.assert_allclose(model.get_layer("norm2").moving_mean, read.mean(0), atol=1e-4)


def test_they_stay_if_the_model_is_worse_with_them_beyond_chance():
    model, judged = network(), [0.9, 0.8]
    statistics, before = trained(model), model.get_weights()
    renewal = statistics.renew(batches(), lambda: scores(judged.pop(0)))
    assert not renewal.kept
    assert "its validation accuracy would be 80.00 % instead of 90.00 %" in renewal.describe(CLASSES)
    for now, same in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, same)
    judged = [0.9, 0.89]
    assert statistics.renew(batches(), lambda: scores(judged.pop(0))).kept


def split(samples, seed):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 4, samples).astype("int32")
    x = 3 + 2 * np.eye(4, dtype="float32")[y] + 0.02 * rng.normal(size=(samples, 4)).astype("float32")
    return Split(x, y)


@pytest.fixture(scope="module")
def data():
    return make_data("made", 4, split(300, 0), split(100, 1), split(50, 2), 32)


def teacher(mean, offset):
    """It answers with the largest of what its BatchNorm returns, minus an offset of one class."""
    norm, dense = layers.BatchNormalization(name="norm"), layers.Dense(4, name="answer")
    model = keras.Sequential([keras.Input((4,)), norm, layers.ReLU(), dense], name="big")
    norm.moving_mean.assign(np.full(4, mean))
    dense.set_weights([np.eye(4), np.array([offset, 0, 0, 0])])
    return model


def test_a_teacher_whose_statistics_lag_is_doubted_with_figures(data):
    (doubt,) = doubt_statistics(teacher(10.0, 0.5), CLASSES, data)
    assert "The BatchNorm statistics of 'norm' in 'big' are far from those of the training data" in doubt
    assert "and 100.00 % after keras-kd recalibrate" in doubt


def test_a_teacher_is_not_doubted_if_it_fits_or_is_better_as_it_is(data):
    assert doubt_statistics(kd.recalibrate(teacher(0.0, 0.0), data.train), CLASSES, data) == []
    # The weights belong to these statistics, as where BatchNorms were frozen.
    assert doubt_statistics(teacher(2.0, 0.0), CLASSES, data)
    assert doubt_statistics(teacher(2.0, -1.85), CLASSES, data) == []


def test_what_is_said_of_renewed_ones():
    better, worse = Renewal(0.84, 0.648, 0.972), Renewal(0.5, 0.9, 0.8, kept=False)
    line = (
        "its BatchNorm statistics lagged 0.84 standard deviations behind and are now those of the training "
        "data: validation accuracy 64.80 % -> 97.20 %"
    )
    assert better.describe(CLASSES) == line
    assert better.describe(CLASSES, chose_epoch=True).startswith(
        f"{line}; --early-stopping judged the epochs"
    )
    text = describe_renewals({"student alone": better, "student distilled": worse}, CLASSES)
    assert "before and after: student alone 64.80 % -> 97.20 %. " in text
    assert "distilled" not in text
    assert describe_renewals({"student distilled": worse}, CLASSES) == ""
