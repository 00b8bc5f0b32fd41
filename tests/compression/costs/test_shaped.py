"""Shapes are inferred anew, as Keras itself infers them, and the model stays as it was."""

import keras
import pytest
from keras import layers, ops

from keras_kd.compression.costs.shaped import reshaped
from keras_kd.graphs import graph_of, opened
from tests.graphs.topologies import TOPOLOGIES, inputs_for, nested


def symbols(model, batch):
    return [keras.KerasTensor((batch, *symbol.shape[1:]), symbol.dtype) for symbol in model.inputs]


@pytest.mark.parametrize("make", TOPOLOGIES.values(), ids=TOPOLOGIES)
def test_every_topology_returns_the_shapes_it_computes(make):
    model = make()
    graph = reshaped(opened(graph_of(model)), symbols(model, 3))
    found = [graph.shape(slot) for slot in keras.tree.flatten(graph.outputs)]
    assert found == [tuple(output.shape) for output in keras.tree.flatten(model(inputs_for(model, 3)))]
    assert all(None not in graph.shape(slot) for call in graph.calls for slot in call.results)


def test_the_model_is_not_called_again():
    model = nested()
    before = len(model.get_layer("stem")._inbound_nodes)
    reshaped(opened(graph_of(model)), symbols(model, 3))
    assert len(model.get_layer("stem")._inbound_nodes) == before


def test_what_does_not_fit_is_named():
    inputs = keras.Input((None, 4))
    model = keras.Model(inputs, layers.Dense(2, name="head")(ops.reshape(inputs, (-1, 12))))
    with pytest.raises(ValueError, match=r"'reshape\w*' of '\w+' does not take the shape \(1, 5, 4\)"):
        reshaped(graph_of(model), [keras.KerasTensor((1, 5, 4))])
