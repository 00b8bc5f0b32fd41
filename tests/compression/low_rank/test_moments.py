"""Second moments of what layers read: against NumPy."""

import keras
import numpy as np
from keras import layers

from keras_kd.compression.low_rank.moments import Neighbors, Reading, second_moments
from keras_kd.graphs import graph_of, opened
from tests.graphs.topologies import inputs_for, nested, shared


def moment(rows):
    rows = np.concatenate([rows, np.ones((len(rows), 1))], axis=1).astype("float64")
    return rows.T @ rows / len(rows)


def found(graph, slots, axes, x, size=2):
    """The moment of some tensors, over batches of two samples."""
    total = len(keras.tree.flatten(x)[0])
    batches = [
        keras.tree.map_structure(lambda part, i=i: part[i : i + size], x) for i in range(0, total, size)
    ]
    return second_moments(graph, {"it": Reading(tuple(slots), axes)}, batches)["it"]


def test_over_batches_of_unequal_size():
    model = keras.Sequential([keras.Input((4, 3)), layers.Dense(5, name="a"), layers.Dense(2, name="b")])
    x = np.random.default_rng(0).normal(size=(5, 4, 3)).astype("float32")
    graph = graph_of(model)
    (call,) = graph.calls_at("b")
    hidden = np.asarray(model.get_layer("a")(x)).reshape(-1, 5)
    np.testing.assert_allclose(found(graph, call.reads, (-1,), x), moment(hidden), atol=1e-5)
    rows = x.transpose(0, 2, 1).reshape(-1, 4)  # of another axis
    np.testing.assert_allclose(found(graph, graph.calls_at("a")[0].reads, (1,), x), moment(rows), atol=1e-6)
    both = x.transpose(0, 2, 1).reshape(-1, 12)  # of two axes, in the order given
    np.testing.assert_allclose(found(graph, graph.calls_at("a")[0].reads, (2, 1), x), moment(both), atol=1e-6)


def test_inside_of_nested_models():
    model = nested()
    graph, x = opened(graph_of(model)), inputs_for(model)
    (call,) = graph.calls_at("backbone/conv2")
    hidden = np.asarray(model(x)[1]).reshape(-1, 4)
    np.testing.assert_allclose(found(graph, call.reads, (-1,), x), moment(hidden), atol=1e-5)


def test_over_all_calls_of_a_shared_layer():
    model = shared()
    graph, x = opened(graph_of(model)), inputs_for(model)
    slots = [call.reads[0] for call in graph.calls_at("tower/hidden")]
    assert len(slots) == 2
    np.testing.assert_allclose(found(graph, slots, (-1,), x), moment(np.concatenate(x)), atol=1e-6)


def test_padding_does_not_count():
    inputs = keras.Input((4,), dtype="int32")
    x = layers.Embedding(7, 3, mask_zero=True, name="embedding")(inputs)
    model = keras.Model(inputs, layers.Dense(2, name="head")(x))
    tokens = np.array([[1, 2, 0, 0], [3, 0, 0, 0]])
    graph = graph_of(model)
    read = np.asarray(model.get_layer("embedding")(tokens))[tokens > 0]
    slots = graph.calls_at("head")[0].reads
    np.testing.assert_allclose(found(graph, slots, (-1,), tokens), moment(read), atol=1e-6)


def test_neighbors_along_an_axis():
    model = keras.Sequential([keras.Input((5, 7, 2)), layers.Conv2D(2, 3, name="conv")])
    graph, x = graph_of(model), np.random.default_rng(0).normal(size=(3, 5, 7, 2)).astype("float32")
    (slot,) = graph.calls_at("conv")[0].reads
    readings = {"rows": Neighbors((slot,), -3, 3, 1), "far": Neighbors((slot,), -2, 3, 4)}
    found = second_moments(graph, readings, [x[:2], x[2:]])
    near, two = (x[:, i:] * x[:, : 5 - i] for i in (1, 2))
    first, second = near.sum() / (x**2).sum(), two.sum() / (x**2).sum()
    wanted = [[1, first, second], [first, 1, first], [second, first, 1]]
    np.testing.assert_allclose(found["rows"], wanted, atol=1e-6)
    apart = (x[:, :, 4:] * x[:, :, :3]).sum() / (x**2).sum()
    np.testing.assert_allclose(found["far"][0], [1, apart, 0], atol=1e-6)  # eight columns are too far
    assert np.linalg.eigvalsh(found["rows"]).min() > 0
    still = second_moments(graph, readings, [np.zeros_like(x)])
    np.testing.assert_array_equal(still["rows"], np.eye(3))
