"""Sample weights of the data reach the objectives."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_kd as kd
from keras_kd.distillation.sample_weights import split_sample_weights
from tests.distillation.conftest import cross_entropy, mlp, one_step


def test_class_weight_weighs_the_objectives_too(batch):
    x, y = batch
    distiller = kd.Distiller(mlp(8, "s"), mlp(16, "t"))
    distiller.compile("sgd", loss=cross_entropy(), run_eagerly=True)
    logs = distiller.fit(x, y, class_weight=dict.fromkeys(range(10), 0.0), verbose=0).history
    assert logs["loss"] == [0.0]


def test_a_term_may_ignore_sample_weights(batch):
    x, y = batch
    soft = kd.Objective(kd.losses.SoftTargets(), use_sample_weight=False)
    distiller = kd.Distiller(mlp(8, "s"), mlp(16, "t"), [soft])
    logs = one_step(distiller, x, y, np.zeros(32, "float32"), loss=cross_entropy())
    assert logs["student_loss"] == 0.0
    assert logs["loss"] > 0


def test_one_weight_set_per_output_needs_an_objective_that_says_which(batch):
    x, y = batch
    inputs = keras.Input((8, 8, 1))
    hidden = keras.layers.Dense(4, name="hidden")(keras.layers.Flatten()(inputs))
    model = keras.Model(inputs, {"a": keras.layers.Dense(10)(hidden), "b": keras.layers.Dense(10)(hidden)})
    tap = kd.Objective("mse", student="hidden", teacher="hidden")
    distiller = kd.Distiller(model, keras.models.clone_model(model), [tap])
    ones = np.ones(32, "float32")
    both = {"a": cross_entropy(), "b": cross_entropy()}
    with pytest.raises(ValueError, match="Sample weights come per output"):
        one_step(distiller, x, {"a": y, "b": y}, {"a": ones, "b": ones}, loss=both)


def test_several_inputs_and_outputs(batch):
    x, y = batch

    def two(units):
        left, right = keras.Input((8, 8, 1), name="left"), keras.Input((8, 8, 1), name="right")
        both = keras.layers.Concatenate()([keras.layers.Flatten()(left), keras.layers.Flatten()(right)])
        hidden = keras.layers.Dense(units)(both)
        outputs = {"digit": keras.layers.Dense(10)(hidden), "size": keras.layers.Dense(1)(hidden)}
        return keras.Model({"left": left, "right": right}, outputs)

    objectives = [
        kd.Objective(
            kd.losses.SoftTargets(), student="output/digit", teacher="output/digit", name="digit_kd"
        ),
        kd.Objective("mse", student="output/size", teacher="output/size", name="size_kd"),
    ]
    distiller = kd.Distiller(two(4), two(16), objectives)
    hard = {"loss": {"digit": cross_entropy(), "size": "mse"}, "loss_weights": {"digit": 1, "size": 0.5}}
    data = {"left": x, "right": x}
    labels = {"digit": y, "size": np.ones((32, 1), "float32")}
    logs = one_step(distiller, data, labels, **hard)
    total = logs["student_loss"] + logs["digit_kd"] + logs["size_kd"]
    np.testing.assert_allclose(logs["loss"], total, rtol=1e-5)
    weights = {"digit": np.zeros(32, "float32"), "size": np.ones(32, "float32")}
    distiller.reset_metrics()
    logs = one_step(distiller, data, labels, weights, **hard)
    assert logs["digit_kd"] == 0
    assert logs["size_kd"] > 0


def test_weights_of_tokens_are_split_into_a_weight_a_sample_and_a_mask():
    objective = kd.Objective("mse")
    weights, weighted = split_sample_weights(objective, tf.constant([[1.0, 0.0], [2.0, 2.0]]))
    assert weights.numpy().tolist() == [0.5, 2.0]
    assert weighted.numpy().tolist() == [[True, False], [True, True]]
    weights, weighted = split_sample_weights(objective, tf.constant([[1.0], [2.0]]))
    assert (weights.numpy().tolist(), weighted) == ([1.0, 2.0], None)
    assert split_sample_weights(kd.Objective("mse", use_sample_weight=False), weights) == (None, None)
