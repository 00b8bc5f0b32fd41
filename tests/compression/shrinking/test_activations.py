"""Magnitudes on data, and the values of tensors inside a graph."""

import numpy as np
import pytest

from keras_kd.compression.data import batches_of
from keras_kd.compression.shrinking.activations import Magnitudes, mean_magnitudes, values_of
from keras_kd.compression.shrinking.groups import groups_of
from keras_kd.graphs import graph_of, open_layers, opened, slots_in
from tests.compression.shrinking.models import MODELS
from tests.compression.shrinking.oracle import with_random_weights
from tests.graphs.topologies import TOPOLOGIES, inputs_for, outputs_of


@pytest.mark.parametrize(
    "name", ["nested", "named_inputs_and_outputs", "several_tensors", "called_in_inference"]
)
def test_a_graph_computes_what_its_model_does(name):
    model = with_random_weights(TOPOLOGIES[name]())
    graph, inputs = opened(graph_of(model)), inputs_for(model)
    wanted = list(slots_in(graph.outputs))
    values = values_of(graph, inputs, wanted)
    for slot, expected in zip(wanted, outputs_of(model, inputs), strict=True):
        np.testing.assert_allclose(values[slot], expected, rtol=1e-5, atol=1e-6)


def test_batches_count_by_their_rows():
    opened_model = open_layers(MODELS["bottleneck"]())
    _, groups = groups_of(opened_model)
    group, magnitudes = groups[1], Magnitudes()
    magnitudes.add(group.classes, np.ones(6), rows=3)
    magnitudes.add(group.classes, np.full(6, 5.0), rows=1)
    np.testing.assert_allclose(magnitudes.of(group), 2)
    assert magnitudes.of(groups[0]) is None


def test_every_place_of_a_flattened_channel_counts():
    model = with_random_weights(MODELS["flattened"]())
    channels, groups = groups_of(open_layers(model))
    x = inputs_for(model)
    read = np.abs(model.get_layer("small")(model.get_layer("stem")(x))).mean((0, 1, 2))
    found = mean_magnitudes(model, channels, batches_of(model, x)).of(groups[0])
    np.testing.assert_allclose(found, read, rtol=1e-5)
