"""What BatchNorms meet in data, against NumPy in float64; and which statistics are called stale."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from keras_kd.compression.statistics import (
    STALE,
    Moments,
    MomentsMeter,
    far_statistics,
    moments_met,
    normalizations_in,
    statistics_gap,
    warn_of_stale_statistics,
)
from tests.graphs.topologies import Block, residual

X = np.random.default_rng(0).normal(3, 2, size=(70, 6, 4)).astype("float32")


def alone(**options):
    return keras.Sequential([keras.Input((6, 4)), layers.BatchNormalization(name="norm", **options)])


def only(found):
    ((moments,), rows) = found[0].values(), found[1]
    return moments, rows


@pytest.mark.parametrize("batch_size", [7, 16, 70])
@pytest.mark.parametrize(("axis", "over"), [(-1, (0, 1)), (1, (0, 2))])
def test_moments_are_those_of_all_values(axis, over, batch_size):
    moments, rows = only(moments_met(alone(axis=axis), X, batch_size))
    assert rows == 70
    np.testing.assert_allclose(moments.mean, X.astype("float64").mean(over), rtol=1e-6)
    np.testing.assert_allclose(moments.variance, X.astype("float64").var(over), rtol=1e-6)
    np.testing.assert_array_equal(moments.number, 70 * X[0].size / X.shape[axis])


def test_a_large_mean_does_not_drown_the_variance():
    x = (1e4 + X.astype("float64")).astype("float32")
    moments, _ = only(moments_met(alone(), x, 16))
    np.testing.assert_allclose(moments.variance, x.astype("float64").var((0, 1)), rtol=1e-4)


def test_moments_of_nothing_change_nothing():
    nothing = Moments(*np.zeros((3, 2)))
    some = Moments(np.full(2, 3.0), np.array([1.0, 2.0]), np.array([0.5, 4.0]))
    for both in (nothing.with_more(some), some.with_more(nothing)):
        np.testing.assert_array_equal(both, some)
    np.testing.assert_array_equal(nothing.with_more(nothing), nothing)


def test_padded_steps_do_not_count():
    x = np.array([[1, 2, 0, 0], [3, 3, 3, 0], [0, 0, 0, 0]])
    sequence = [layers.Embedding(4, 3, mask_zero=True, name="embedding"), layers.BatchNormalization()]
    model = keras.Sequential([keras.Input((4,), dtype="int32"), *sequence])
    read = model.get_layer("embedding")(x).numpy().astype("float64")[x > 0]
    moments, _ = only(moments_met(model, x))
    np.testing.assert_allclose(moments.mean, read.mean(0), rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(moments.variance, read.var(0), rtol=1e-5)
    np.testing.assert_array_equal(moments.number, 5)


def test_a_meter_reads_the_weights_of_the_time():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3, name="dense"), layers.BatchNormalization()])
    meter, x = MomentsMeter(model), X[:, 0]
    ((first, _), (again, _)) = (only(meter.measure([x])) for _ in range(2))
    np.testing.assert_array_equal(first.mean, again.mean)
    model.get_layer("dense").kernel.assign(np.zeros((4, 3)))
    ((later, rows)) = only(meter.measure([x[:3], x[3:]]))
    np.testing.assert_array_equal(later.mean, 0)
    assert rows == len(x)


def test_half_precision_is_measured_in_single():
    model = keras.Sequential(
        [keras.Input((6, 4)), layers.BatchNormalization(dtype="mixed_float16", name="norm")]
    )
    x = 300 * X  # whose squares are beyond float16
    moments, _ = only(moments_met(model, x))
    np.testing.assert_allclose(moments.variance, x.astype("float64").var((0, 1)), rtol=1e-3)


def test_batches_of_several_shapes_are_each_read():
    model = keras.Sequential([keras.Input((None, 4)), layers.BatchNormalization(name="norm")])
    moments, rows = only(moments_met(model, iter([X[:5], X[5:9], X[9:20, :3]])))
    everything = np.concatenate([X[:9].reshape(-1, 4), X[9:20, :3].reshape(-1, 4)]).astype("float64")
    assert rows == 20
    np.testing.assert_allclose(moments.variance, everything.var(0), rtol=1e-6)


def test_norms_are_found_at_any_depth_and_shared_ones_once():
    shared = layers.BatchNormalization(name="norm")
    inputs = keras.Input((4,))
    entry = keras.Input((4,))
    body = keras.Model(entry, layers.BatchNormalization(name="inside")(entry), name="body")
    both = [shared(body(inputs)), shared(inputs)]
    model = keras.Model(inputs, layers.Add()(both))
    assert list(normalizations_in(model)) == ["body/inside", "norm"]
    x = X[:, 0]
    met, _ = moments_met(model, x)
    assert met["norm"].number[0] == 2 * len(x)  # of both calls
    assert met["body/inside"].number[0] == len(x)


def test_the_model_is_as_before():
    model = residual()
    before = [np.array(value) for value in model.get_weights()]
    x = np.random.default_rng(0).normal(size=(9, 8, 8, 3))
    expected = model(x, training=True).numpy()
    model.set_weights(before)
    for anew in (False, True):
        moments_met(model, x, anew=anew)
    for value, was in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(value, was)
    np.testing.assert_array_equal(model(x, training=True), expected)


def test_a_gap_is_in_standard_deviations():
    model = alone(epsilon=0.0)
    norm = model.get_layer("norm")
    norm.moving_mean.assign(X.mean((0, 1)) + 0.5 * X.std((0, 1)))
    norm.moving_variance.assign(X.var((0, 1)))
    (gap,) = statistics_gap(model, X).values()
    assert gap == pytest.approx(np.sqrt(0.25 - 1 / 70), rel=1e-5)
    norm.moving_mean.assign(X.mean((0, 1)))
    norm.moving_variance.assign(X.var((0, 1)) / 4)
    assert statistics_gap(model, X)["norm"] == pytest.approx(np.sqrt(1 - 1 / 70), rel=1e-5)
    assert statistics_gap(keras.Sequential([keras.Input((4,)), layers.Dense(2)]), X[:, 0]) == {}


@pytest.mark.parametrize("steps", [50, 800])
def test_a_short_training_warns_and_a_long_one_does_not(steps):
    """Momentum alone, as Keras has it: 0.99."""
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3), layers.BatchNormalization(name="norm")])
    random = np.random.default_rng(1)
    x = random.normal(2, 3, size=(400, 4)).astype("float32")
    step = tf.function(lambda x: model(x, training=True))
    for _ in range(steps):
        step(tf.constant(x[random.integers(0, 400, 32)]))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for rows in (20, 50, 400):
            warn_of_stale_statistics(model, x[:rows])
    if steps == 50:
        assert len(caught) == 3
        assert "BatchNorm statistics of 'norm' in" in str(caught[0].message)
        assert "kd.recalibrate(model, data)" in str(caught[0].message)
    else:
        assert caught == []


def test_the_worst_is_named_and_the_others_are_counted():
    parts = [layers.BatchNormalization(name=name) for name in ("first", "second", "third")]
    model = keras.Sequential([keras.Input((4,)), *parts], name="three")
    parts[1].moving_mean.assign(np.full(4, 50.0))
    with pytest.warns(UserWarning, match="of 'second' and 2 more in 'three'") as caught:
        warn_of_stale_statistics(model, X[:, 0], stacklevel=2)
    assert caught[0].filename == __file__
    assert min(statistics_gap(model, X[:, 0]).values()) > STALE


def test_layers_of_users_are_looked_into():
    class Normed(Block):
        def __init__(self, units, **kwargs):
            super().__init__(units, **kwargs)
            self.second = layers.BatchNormalization()

    inputs = keras.Input((4,))
    model = keras.Model(inputs, Normed(4, name="block")(inputs))
    met, _ = moments_met(model, X[:, 0])
    assert list(met) == ["block/second"]


def test_steps_of_time_are_pooled():
    inputs = keras.Input((6, 4))
    model = keras.Model(inputs, layers.TimeDistributed(layers.BatchNormalization(), name="each")(inputs))
    moments, _ = only(moments_met(model, X))
    np.testing.assert_allclose(moments.mean, X.astype("float64").mean((0, 1)), rtol=1e-6)
    np.testing.assert_allclose(moments.variance, X.astype("float64").var((0, 1)), rtol=1e-6)


def test_only_far_ones_are_told():
    model = keras.Sequential([keras.Input((6, 4)), *(layers.BatchNormalization(name=n) for n in "ab")])
    model.get_layer("a").moving_mean.assign(X.mean((0, 1)))
    model.get_layer("a").moving_variance.assign(X.var((0, 1)))
    assert far_statistics(model, X) == {}
    model.get_layer("b").moving_mean.assign(np.full(4, np.nan))
    assert list(far_statistics(model, X)) == ["b"]
