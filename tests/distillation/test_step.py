"""A step is one forward of each model and one backward of the student, and nothing that leaves the graph."""

import collections

import keras
import pytest
import tensorflow as tf

import keras_kd as kd
from tests.distillation.conftest import convnet, cross_entropy
from tests.selection import rest_slow


def operations(model):
    """How often each kind of operation stands in the graph of a train step."""
    model.compile("sgd", loss=cross_entropy(), metrics=["accuracy"])
    images, labels = tf.TensorSpec((None, 8, 8, 1)), tf.TensorSpec((None,), tf.int64)
    with tf.init_scope():
        model._symbolic_build(data_batch=(images, labels))
    step = tf.function(lambda x, y: model.train_step((x, y)), autograph=False)
    graph = step.get_concrete_function(images, labels).graph
    graphs = [
        graph,
        *(function.graph for function in graph._functions.values() if hasattr(function, "graph")),
    ]
    return collections.Counter(op.type for each in graphs for op in each.get_operations())


OBJECTIVES = {
    "the blend": None,
    "five": [
        kd.Objective(kd.losses.AttentionTransfer(), student=tap, teacher=tap, name=tap.replace("/", "_"))
        for tap in ("block1", "norm", "block2")
    ]
    + [
        kd.losses.SoftTargets(),
        kd.Objective("mse", student="block2", teacher="block2", project=True),
    ],
}


@pytest.fixture(scope="module")
def plain():
    return operations(convnet(4))


@pytest.mark.parametrize("objectives", rest_slow(OBJECTIVES, "the blend"))
def test_each_model_runs_once_and_nothing_leaves_the_graph(objectives, plain):
    found = operations(kd.Distiller(convnet(4), convnet(8), objectives))
    assert found["Conv2D"] == plain["Conv2D"] + 1  # the teacher's
    for kind in ("Conv2DBackpropFilter", "Conv2DBackpropInput", "ReluGrad"):
        assert found[kind] == plain[kind] == 1
    assert not {kind for kind in found if "PyFunc" in kind}


@pytest.mark.slow
def test_taps_that_nobody_asked_for_are_not_recorded():
    recorded = []

    class Watched(keras.layers.Layer):
        def call(self, x):
            recorded.append("call" in self.__dict__)
            return x

    def model():
        inputs = keras.Input((8, 8, 1))
        x = Watched(name="watched")(keras.layers.Flatten()(inputs))
        return keras.Model(inputs, keras.layers.Dense(10)(x))

    operations(kd.Distiller(model(), model()))
    assert not any(recorded)
    operations(kd.Distiller(model(), model(), [kd.Objective("mse", student="watched", teacher="watched")]))
    assert any(recorded)
