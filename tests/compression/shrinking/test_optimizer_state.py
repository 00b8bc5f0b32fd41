"""Optimizers that are kept when a model is shrunk."""

import keras
import numpy as np
import pytest

import keras_kd as kd
from keras_kd.compression.shrinking.arguments import Arguments
from keras_kd.compression.shrinking.cutting import Cut
from keras_kd.compression.shrinking.optimizer_state import compile_like
from keras_kd.compression.shrinking.planning import plan_shrinking


def network() -> keras.Model:
    x = inputs = keras.Input((6,))
    for i in (1, 2):
        x = keras.layers.Dense(8, activation="relu", name=f"hidden{i}")(x)
    return keras.Model(inputs, keras.layers.Dense(2, name="head")(x), name="network")


def trained(optimizer, run_eagerly=True) -> keras.Model:
    model = network()
    model.compile(optimizer, loss="mse", metrics=["mae"], run_eagerly=run_eagerly)
    random = np.random.default_rng(0)
    model.fit(random.normal(size=(64, 6)), random.normal(size=(64, 2)), verbose=0)
    return model


OPTIMIZERS = ["adam", keras.optimizers.SGD(0.1, momentum=0.9), keras.optimizers.Adam(use_ema=True), "rmsprop"]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: o if isinstance(o, str) else o.name)
def test_moments_are_those_of_the_weights_that_stay(optimizer):
    model = trained(optimizer)
    small = kd.shrink(model, 0.5, scope="layer", keep_compiled=True)
    plan = plan_shrinking(model, Arguments(0.5, scope="layer"))
    cut = Cut(plan.channels, plan.removed)
    assert int(small.optimizer.iterations) == int(model.optimizer.iterations) == 2
    weights = model.trainable_variables
    seen = 0
    for before, after in zip(model.optimizer.variables, small.optimizer.variables, strict=True):
        owners = [w for w in weights if before.path.split("/")[-1].startswith(w.path.replace("/", "_"))]
        if owners:
            seen += 1
            np.testing.assert_array_equal(after, cut.part(owners[0], np.asarray(before)))
    assert seen >= len(weights)


def test_the_result_goes_on_training():
    small = kd.shrink(trained("adam", run_eagerly=False), 0.5, keep_compiled=True)
    history = small.fit(np.zeros((8, 6)), np.zeros((8, 2)), verbose=0)
    assert set(history.history) == {"loss", "mae"}


def test_all_kept_trains_like_the_original():
    model = trained("adam")
    same = kd.shrink(model, 1.0, keep_compiled=True)
    random = np.random.default_rng(1)
    x, y = random.normal(size=(32, 6)), random.normal(size=(32, 2))
    for each in (model, same):
        each.fit(x, y, epochs=2, shuffle=False, verbose=0)
    for before, after in zip(model.weights, same.weights, strict=True):
        np.testing.assert_allclose(before, after, atol=1e-6)


def test_what_holds_other_shapes_starts_anew():
    small = kd.shrink(trained("adafactor"), 0.5, keep_compiled=True)
    assert int(small.optimizer.iterations) == 2


def custom(y, outputs):
    return keras.ops.mean(keras.ops.square(y - outputs))


def test_what_cannot_be_kept_is_told():
    with pytest.raises(ValueError, match="'network' is not compiled"):
        kd.shrink(network(), 0.5, keep_compiled=True)
    model = network()
    model.compile("adam", loss=custom)
    with pytest.raises(
        ValueError, match=r"'network' cannot be compiled anew: .*Leave out keep_compiled=True"
    ):
        compile_like(model, network(), lambda variable, value: value)


def test_not_with_dropped_blocks():
    x = inputs = keras.Input((6,))
    for i in range(3):
        x = keras.layers.Add(name=f"sum{i}")([x, keras.layers.Dense(6, name=f"dense{i}")(x)])
    model = keras.Model(inputs, keras.layers.Dense(1, name="head")(keras.layers.Dense(4, name="last")(x)))
    model.compile("adam", "mse")
    with pytest.raises(ValueError, match="not with depth="):
        kd.shrink(model, depth=1, drop="even", keep_compiled=True)
