"""Kernels with other values."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_kd.compression.kernels import kernels_of
from keras_kd.compression.selection import Selection
from keras_kd.compression.sensitivity.kernels import cluster, kernel_parts, prune


def model():
    inputs = keras.Input((5,), dtype="int32")
    x = layers.LSTM(3, name="lstm")(layers.Embedding(7, 4, name="words")(inputs))
    return keras.Model(inputs, layers.Dense(4, name="head")(x))


def dense(values):
    """The kernel of a layer with these weights."""
    made = keras.Sequential([keras.Input((len(values),)), layers.Dense(len(values[0]), name="head")])
    made.get_layer("head").kernel.assign(values)
    (kernel,) = kernels_of(made)
    return kernel


def test_the_smallest_weights_of_each_kernel_are_zero():
    kernel = dense(np.random.default_rng(0).normal(size=(10, 10)))
    value = kernel.value()
    zeros = prune(kernel, 0.9) == 0
    assert zeros.sum() == 90
    assert np.abs(value[zeros]).max() < np.abs(value[~zeros]).min()
    np.testing.assert_array_equal(prune(kernel, 0.0), value)


def test_weights_share_the_means_of_those_near_them():
    values = np.array([[-3, -1, 4], [5, 6, 0.5]])
    kernel = dense(values)
    np.testing.assert_allclose(cluster(kernel, 2), [[-2, -2, 5], [5, 5, -2]], atol=1.2)
    assert len(np.unique(cluster(kernel, 3))) == 3
    np.testing.assert_array_equal(cluster(kernel, 32), values)
    zeros = dense(values * [[1, 0, 1], [0, 1, 1]])
    assert (cluster(zeros, 3)[zeros.value() == 0] == 0).all()


def test_all_kernels_of_a_layer_change_and_embeddings_only_if_named():
    parts = kernel_parts(prune, model(), Selection()).parts
    assert [part.layer for part in parts] == ["lstm/cell", "head"]
    change = parts[0].change(0.5)
    assert [variable.name for variable, _ in change] == ["kernel", "recurrent_kernel"]
    assert all((value == 0).mean() == 0.5 for _, value in change)
    assert [part.layer for part in kernel_parts(prune, model(), Selection(["words"])).parts] == ["words"]


def test_frozen_layers_change_as_well():
    frozen = model()
    frozen.trainable = False
    assert len(kernel_parts(prune, frozen, Selection()).parts) == 2
    with pytest.raises(ValueError, match="`layers`/`skip` leave none"):
        kernel_parts(prune, model(), Selection(skip=["lstm", "head"]))
