"""Statistics anew: against NumPy in float64, through every kind of model, and nothing else changes."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import keras_kd as kd
from keras_kd.compression.statistics import normalizations_in, statistics_gap
from tests.graphs.topologies import TOPOLOGIES, inputs_for, scrambled

X = np.random.default_rng(0).normal(1, 2, size=(64, 5)).astype("float32")


def chain():
    parts = [layers.Dense(6, name="dense1"), layers.BatchNormalization(name="norm1", momentum=0.7)]
    parts += [layers.ReLU(), layers.Dropout(0.5), layers.Dense(4, name="dense2")]
    return keras.Sequential([keras.Input((5,)), *parts, layers.BatchNormalization(name="norm2", axis=1)])


def oracle(model, batches):
    """The statistics in float64: batches normalize themselves, their values are pooled."""
    dense1, norm1, _, _, dense2, _ = model.layers
    weights = [value.astype("float64") for layer in (dense1, dense2) for value in layer.get_weights()]
    first, second = [], []
    for x in batches:
        first.append(x.astype("float64") @ weights[0] + weights[1])
        normed = (first[-1] - first[-1].mean(0)) / np.sqrt(first[-1].var(0) + norm1.epsilon)
        hidden = np.maximum(normed * norm1.gamma.numpy() + norm1.beta.numpy(), 0)
        second.append(hidden @ weights[2] + weights[3])
    return [(np.concatenate(values).mean(0), np.concatenate(values).var(0)) for values in (first, second)]


@pytest.mark.parametrize("size", [64, 32, 16])
def test_the_statistics_are_those_of_an_oracle(size):
    model = scrambled(chain())
    new = kd.recalibrate(model, tf.data.Dataset.from_tensor_slices(X).batch(16), batch_size=size)
    found = normalizations_in(new).values()
    expected = oracle(model, np.split(X, 64 // size))
    for norm, (mean, variance) in zip(found, expected, strict=True):
        np.testing.assert_allclose(norm.moving_mean, mean, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(norm.moving_variance, variance, rtol=1e-5)
        assert norm.momentum in (0.7, 0.99)


def test_in_one_batch_inference_meets_exactly_these_statistics():
    new = kd.recalibrate(scrambled(chain()), X)
    assert max(statistics_gap(new, np.concatenate([X] * 400)).values()) == 0.0  # less than 1 / rows
    dense, norm = new.layers[:2]
    read = dense(X).numpy().astype("float64")
    standardized = (read - read.mean(0)) / np.sqrt(read.var(0) + norm.epsilon)
    np.testing.assert_allclose((norm(dense(X)) - norm.beta) / norm.gamma, standardized, rtol=1e-4, atol=1e-5)


WITH_NORMS = ["residual", "called_in_inference"]


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_every_topology(name):
    model = scrambled(TOPOLOGIES[name]())
    before = [np.array(value) for value in model.get_weights()]
    inputs = inputs_for(model)
    if name not in WITH_NORMS:
        with pytest.raises(ValueError, match="has no BatchNormalization"):
            kd.recalibrate(model, inputs)
        return
    new = kd.recalibrate(model, inputs)
    assert type(new) is type(model)
    assert "keras_kd" not in str(new.get_config())
    (was,), (norm,) = normalizations_in(model).values(), normalizations_in(new).values()
    assert not np.allclose(norm.moving_mean, was.moving_mean)
    for value, kept in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(value, kept)
    for old, variable in zip(model.variables, new.variables, strict=True):
        assert old.trainable == variable.trainable
        if "moving" not in old.path:
            np.testing.assert_array_equal(old, variable)


def test_frozen_norms_called_in_inference_are_renewed():
    model = TOPOLOGIES["called_in_inference"]()
    new = kd.recalibrate(model, X[:, :4])
    base, norm = new.get_layer("base"), new.get_layer("base").get_layer("norm")
    read = base.get_layer("hidden")(X[:, :4]).numpy()
    np.testing.assert_allclose(norm.moving_mean, read.mean(0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(norm.moving_variance, read.var(0), rtol=1e-5)
    assert not norm.trainable


def test_a_shared_norm_has_the_statistics_of_all_its_calls():
    norm = layers.BatchNormalization(name="norm", synchronized=True)
    inputs = [keras.Input((5,), name="left"), keras.Input((5,), name="right")]
    model = keras.Model(inputs, layers.Add()([norm(x) for x in inputs]))
    new = kd.recalibrate(model, [X, X + 4]).get_layer("norm")
    both = np.concatenate([X, X + 4])
    np.testing.assert_allclose(new.moving_mean, both.mean(0), rtol=1e-5)
    np.testing.assert_allclose(new.moving_variance, both.var(0), rtol=1e-5)
    assert new.synchronized


def test_training_with_renorm_goes_on_from_the_new_statistics():
    model = keras.Sequential([keras.Input((5,)), layers.BatchNormalization(renorm=True, momentum=1.0)])
    new = kd.recalibrate(model, X)
    norm = new.layers[0]
    before = norm.moving_variance.numpy()
    new(X, training=True)
    np.testing.assert_allclose(norm.moving_variance, before, rtol=1e-4)
    np.testing.assert_allclose(before, X.var(0), rtol=1e-4)


def test_half_precision_stays_half_precision():
    parts = [layers.Dense(4, dtype="mixed_float16"), layers.BatchNormalization(dtype="mixed_float16")]
    new = kd.recalibrate(keras.Sequential([keras.Input((5,)), *parts]), X)
    assert new.layers[1].dtype_policy.name == "mixed_float16"
    read = new.layers[0](X).numpy().astype("float64")
    np.testing.assert_allclose(new.layers[1].moving_variance, read.var(0), rtol=1e-3)


@pytest.mark.slow
def test_it_saves_trains_and_gives_accuracy_back(digits, tmp_path):
    keras.utils.set_random_seed(0)
    parts = [layers.Flatten(), layers.Dense(32), layers.BatchNormalization(), layers.ReLU(), layers.Dense(10)]
    model = keras.Sequential([keras.Input((8, 8, 1)), *parts])
    x, y = digits.arrays["train"][:2]
    entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", entropy, metrics=["accuracy"], jit_compile=False)
    model.fit(x, y, batch_size=64, epochs=3, verbose=0)  # 60 steps: far too short for a momentum of 0.99
    new = kd.recalibrate(model, (x, y))
    new.compile("sgd", entropy, metrics=["accuracy"], jit_compile=False)
    before, after = (m.evaluate(x, y, verbose=0, batch_size=512)[1] for m in (model, new))
    assert after > before + 0.04
    new.save(tmp_path / "new.keras")
    loaded = keras.saving.load_model(tmp_path / "new.keras")
    np.testing.assert_array_equal(loaded(x[:5]), new(x[:5]))


def subclassed():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.norm = layers.BatchNormalization()

        def call(self, x):
            return self.norm(x)

    model = Own()
    model(X)
    return model


@pytest.mark.parametrize(
    ("model", "data", "error", "message"),
    [
        (lambda: "model.keras", X, TypeError, "must be a keras.Model"),
        (subclassed, X, ValueError, "has no graph to read"),
        (lambda: keras.Sequential([layers.BatchNormalization()]), X, ValueError, "no BatchNormalization"),
        (chain, X[:, :3], ValueError, "does not fit"),
        (chain, X[:0], ValueError, "empty"),
        (chain, X * np.nan, ValueError, "'norm1' of .* reads contains NaN or infinity"),
    ],
)
def test_errors(model, data, error, message):
    with pytest.raises(error, match=message):
        kd.recalibrate(model(), data)


def test_a_norm_that_reads_padding_only_is_an_error():
    sequence = [layers.Embedding(4, 3, mask_zero=True), layers.BatchNormalization(name="norm")]
    model = keras.Sequential([keras.Input((4,), dtype="int32"), *sequence])
    with pytest.raises(ValueError, match=r"All that 'norm' of .* reads is masked"):
        kd.recalibrate(model, np.zeros((3, 4), "int32"))
