"""What an operation runs in the end."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_kd.compression.costs.leaves import Leaf, inside, leaf_of, leaves
from keras_kd.graphs import graph_of
from tests.graphs.topologies import Block


class Untraceable(layers.Layer):
    """A layer that needs values."""

    def call(self, x):
        return x * float(np.asarray(x).sum())

    def compute_output_shape(self, shape):
        return shape


class Scaled(layers.Dense):
    """A layer of Keras that a user extends."""

    def call(self, x, training=False):
        return super().call(x) * (2 if training else 1)


def ends(layer, shape, **kwargs):
    inputs = keras.Input(shape)
    graph = graph_of(keras.Model(inputs, layer(inputs, **kwargs)))
    found = leaves(leaf_of(graph.calls[-1], graph))
    return [(type(leaf.operation).__name__, leaf.shapes[0][1:]) for leaf in found]


CASES = {
    "layer": (lambda: layers.Dense(2), (4,), [("Dense", (4,))]),
    "steps": (lambda: layers.TimeDistributed(layers.Dense(2)), (3, 5, 4), [("Dense", (5, 4))]),
    "spectral": (lambda: layers.SpectralNormalization(layers.Dense(2)), (4,), [("Dense", (4,))]),
    "directions": (lambda: layers.Bidirectional(layers.GRU(2)), (5, 4), [("GRU", (5, 4))] * 2),
    "model": (
        lambda: keras.Sequential([layers.TimeDistributed(layers.Dense(2)), layers.Flatten()]),
        (3, 5, 4),
        [("Dense", (5, 4)), ("Flatten", (3, 5, 2))],
    ),
    "of_a_user": (lambda: Block(4), (4,), [("Dense", (4,)), ("Relu", (4,)), ("Dense", (4,)), ("Add", (4,))]),
    "function": (lambda: layers.Lambda(lambda x: ops.relu(x)), (4,), [("Relu", (4,))]),
    "extended": (lambda: Scaled(2), (4,), [("Matmul", (4,)), ("Add", (2,)), ("Multiply", (2,))]),
    "untraceable": (lambda: Untraceable(), (4,), [("Untraceable", (4,))]),
}


@pytest.mark.parametrize("name", CASES)
def test_what_runs_in_the_end(name):
    make, shape, expected = CASES[name]
    assert ends(make(), shape) == expected


def test_the_inside_of_a_layer_can_be_missing():
    layer = Untraceable()
    assert inside(Leaf(layer, (keras.KerasTensor((1, 4)),), {})) is None


def test_arguments_are_found_by_name():
    leaf = Leaf(layers.Dot(1), ([1, 2],), {})
    assert leaf.argument("inputs") == [1, 2]
    assert Leaf(layers.Dropout(0.1), (1,), {}).argument("training") is None
