"""What a BatchNorm can be folded into, and the reasons why not."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_kd.compression.batch_norm.neighbors import norms_in
from keras_kd.graphs import graph_of
from tests.graphs.topologies import called_in_inference, residual

IMAGE = (6, 6, 3)


def norm(**options):
    return layers.BatchNormalization(name="norm", **options)


def between(before, after=None, shape=IMAGE, own=None):
    """The BatchNorm of a chain, of which any part may be missing."""
    own = own or norm()
    parts = [part for part in (before, own, after) if part is not None]
    model = keras.Sequential([keras.Input(shape), *parts])
    if own.center:
        own.beta.assign(np.ones(own.beta.shape))
    (found,) = norms_in(graph_of(model))
    return found


@pytest.mark.parametrize(
    ("make", "path"),
    [(residual, "norm"), (called_in_inference, "base/norm")],
)
def test_paths_lead_into_nested_models(make, path):
    (found,) = norms_in(graph_of(make()))
    assert (found.layer, found.after, found.reason) == (path, True, "")


@pytest.mark.parametrize(
    ("before", "after", "into"),
    [
        (layers.Conv2D(4, 3, name="conv"), None, "conv"),
        (layers.Conv2D(4, 3, padding="same", name="conv"), layers.Conv2D(4, 3, name="next"), "conv"),
        (layers.ReLU(), layers.Conv2D(4, 3, activation="relu", name="next"), "next"),
        (None, layers.Dense(4, name="next"), "next"),
        (layers.ReLU(), layers.Conv2D(4, 1, padding="same", name="next"), "next"),
        (layers.ReLU(), layers.SeparableConv2D(4, 3, name="next"), "next"),
    ],
)
def test_the_layer_before_is_first_and_then_the_one_after(before, after, into):
    found = between(before, after)
    assert found.into.path == into
    assert found.after == (into == "conv")


CONV = {"name": "conv"}


@pytest.mark.parametrize(
    ("before", "after", "own", "reason"),
    [
        (None, None, None, "it reads an input, and it is an output of the model"),
        (layers.Conv2D(4, 3, activation="relu", **CONV), None, None, "'conv' before it has an activation"),
        (layers.ReLU(name="relu"), layers.ReLU(), None, r"it reads 'relu' \(ReLU\), and it is read by"),
        (None, layers.Conv2D(4, 3, padding="same", name="next"), None, "'next' after it pads what it reads"),
        (None, layers.Conv1D(4, 3, padding="causal", name="next"), None, "'next' after it pads"),
        (None, layers.Conv2DTranspose(4, 3, name="next"), None, "the borders of 'next'"),
        (layers.Conv2D(6, 3, **CONV), None, norm(axis=1), "its axis 1 is not that of the channels of 'conv'"),
        (layers.Conv2D(4, 3, dtype="mixed_float16", **CONV), None, None, "and 'conv' in float16"),
        (layers.EinsumDense("ab...,bc->ac...", 4, **CONV), None, None, "does not come from its kernel"),
    ],
)
def test_reasons(before, after, own, reason):
    shape = IMAGE[1:] if isinstance(after, layers.Conv1D) else IMAGE
    found = between(before, after, shape, own)
    assert found.into is None
    with pytest.raises(ValueError, match=reason):
        raise ValueError(found.reason)


def test_a_shift_of_nothing_can_be_padded():
    found = between(None, layers.Conv2D(4, 3, padding="same", name="next"), own=norm(center=False))
    assert found.into.path == "next"


def wired(function):
    inputs = keras.Input(IMAGE)
    return keras.Model(inputs, function(inputs))


def reads_between(x):
    x = layers.Conv2D(3, 1, name="conv")(x)
    return layers.Add()([x, norm()(x)])


def returned_between(x):
    x = layers.Conv2D(3, 1, name="conv")(x)
    return [x, norm()(x)]


def shared_norm(x):
    own = norm()
    return own(layers.Conv2D(3, 1)(own(layers.Conv2D(3, 1, name="conv")(x))))


def shared_conv(x):
    conv = layers.Conv2D(3, 1, name="conv")
    return layers.Add()([norm()(conv(x)), conv(layers.ReLU()(x))])


def always_training(x):
    return norm()(layers.Conv2D(3, 1, name="conv")(x), training=True)


@keras.saving.register_keras_serializable("test_neighbors")
class Own(layers.BatchNormalization):
    def call(self, inputs, training=None):
        return inputs


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (reads_between, "'conv' before it is also read by others"),
        (returned_between, "'conv' before it is also read by others"),
        (shared_norm, "it is shared"),
        (shared_conv, "'conv' is shared"),
        (always_training, "it is called with training=True"),
        (lambda x: Own(name="norm")(layers.Conv2D(3, 1)(x)), "its class Own has a `call` of its own"),
    ],
)
def test_reasons_in_the_graph(function, reason):
    (found,) = norms_in(graph_of(wired(function)))
    assert found.into is None
    assert reason in found.reason


def test_a_lora_is_left_alone():
    dense = layers.Dense(4, name="dense")
    model = keras.Sequential([keras.Input((3,)), dense, norm()])
    dense.enable_lora(2)
    (found,) = norms_in(graph_of(model))
    assert "'dense' is quantized, or has a LoRA" in found.reason


def test_a_model_that_is_nested_twice_is_folded_once():
    entry = keras.Input((3,))
    tower = keras.Model(entry, norm()(layers.Dense(3, name="dense")(entry)), name="tower")
    inputs = keras.Input((3,))
    (found,) = norms_in(graph_of(keras.Model(inputs, tower(tower(inputs)))))
    assert found.layer == "tower/norm"
    assert found.into.path == "dense"
