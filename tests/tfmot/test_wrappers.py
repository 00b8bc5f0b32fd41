"""tfmot's functions that wrap, and what they say of layers that they cannot take."""

import numpy as np
import pytest
import tf_keras

import keras_kd as kd
from tests.tfmot.students import (
    HOLDS,
    WRAPS,
    X,
    assert_refused,
    half_precision,
    halved,
    network,
    refused,
    sequential,
    student,
    unsupported,
    with_kernels,
    with_layer,
)

L = tf_keras.layers


@pytest.mark.parametrize("name", WRAPS)
def test_the_model_given_stays_as_it_is(name):
    model = student()
    outputs, layers = model(X), list(model.layers)
    weights = [id(weight) for weight in model.weights]
    wrapped = WRAPS[name](model)
    wrapped.set_weights([weight + 1 for weight in wrapped.get_weights()])
    wrapped(X)
    assert np.array_equal(model(X), outputs)
    assert model.layers == layers
    assert [id(weight) for weight in model.weights] == weights


@pytest.mark.parametrize("name", WRAPS)
def test_layers_are_chosen_by_name(name):
    names = [layer.name for layer in WRAPS[name](student(), layers=["hidden"]).layers]
    assert "head" in names
    assert "hidden" not in names


def test_layers_of_nested_models_are_chosen_by_path():
    inputs = tf_keras.Input((6,))
    outer = tf_keras.Model(inputs, L.Dense(3, name="top")(network(tf_keras, 8, "backbone")(inputs)))
    backbone = kd.tfmot.prune_low_magnitude(outer, layers="backbone/head").get_layer("backbone")
    assert [layer.name for layer in backbone.layers[1:]] == ["hidden", "prune_low_magnitude_head"]


def test_blocks_and_patterns_reach_tfmot():
    made = kd.tfmot.prune_low_magnitude(student(), None, (1, 2), "MAX", layers=["hidden"])
    wrapper = made.get_layer("prune_low_magnitude_hidden")
    assert (wrapper.block_size, wrapper.block_pooling_type) == ((1, 2), "MAX")
    made = kd.tfmot.prune_low_magnitude(student(), sparsity_m_by_n=(2, 4), layers=["head"])
    assert made.layers[2].sparsity_m_by_n == (2, 4)
    assert made.layers[2].pruning_schedule.get_config()["config"]["target_sparsity"] == 0.5


@pytest.mark.slow
def test_recurrent_cells_are_known_to_tfmot_and_the_layers_that_are_checked_stay_as_they_are():
    model = sequential(L.Input((4, 4)), L.LSTM(8, name="lstm"), L.Dense(4, name="head"))
    wrapped = kd.tfmot.prune_low_magnitude(model, block_size=(1, 2))
    assert [len(layer.prunable_weights) for layer in wrapped.layers] == [2, 1]
    assert not any(hasattr(layer, "get_prunable_weights") for layer in model.layers)


def test_what_is_beside_the_clusters_trains():
    layers = [L.Input((6,)), L.Dense(4, name="hidden"), L.BatchNormalization(name="norm"), L.Dense(3)]
    model = kd.tfmot.cluster_weights(tf_keras.Sequential(layers), 4, "LINEAR")
    model(X, training=True)
    assert np.abs(model.get_layer("norm").moving_mean).max() > 0


def test_preserve_sparsity_keeps_zeros_while_clustering():
    clustered = kd.tfmot.cluster_weights(with_kernels(halved), 4, "LINEAR", preserve_sparsity=True)
    kernels = [w for w in kd.tfmot.strip_clustering(clustered).get_weights() if w.ndim == 2]
    assert all(np.mean(kernel == 0) >= 0.5 and HOLDS["clustered"](kernel) for kernel in kernels)


class Uncopied(L.Layer):
    def __init__(self, thing):
        super().__init__(name="uncopied")

    def get_prunable_weights(self):
        return []


REFUSED = {
    **{
        f"{name}: layers that tfmot does not support": (
            lambda wrap=wrap: wrap(unsupported()),
            ValueError,
            r"cannot take 2 of these layers: 'first' \(Own\), 'second' \(Own\).*layers=\['hidden'\]",
        )
        for name, wrap in WRAPS.items()
    },
    "no schedule": (lambda: kd.tfmot.prune_low_magnitude(student(), 0.5), TypeError, "PolynomialDecay"),
    "more clusters than weights": (
        lambda: kd.tfmot.cluster_weights(student(), 24),
        ValueError,
        r"'head' \(its kernel has 24 weights\)",
    ),
    "an unknown start of the clusters": (
        lambda: kd.tfmot.cluster_weights(student(), 4, "linear"),
        ValueError,
        "Did you mean 'LINEAR'",
    ),
    "one cluster": (lambda: kd.tfmot.cluster_weights(student(), 1, "LINEAR"), ValueError, "greater than 1"),
    "clusters in half precision": (
        lambda: kd.tfmot.cluster_weights(half_precision(), 2),
        ValueError,
        r"'hidden' .*computes in float16, and tfmot clusters float32",
    ),
    "a layer that cannot be copied": (
        lambda: kd.tfmot.prune_low_magnitude(with_layer(Uncopied(object()))),
        ValueError,
        "cannot be copied.*get_config",
    ),
}


@pytest.mark.parametrize(("make", "error", "message"), refused(REFUSED))
def test_layers_and_arguments_that_tfmot_cannot_take_are_refused(make, error, message):
    assert_refused(make, error, message)
