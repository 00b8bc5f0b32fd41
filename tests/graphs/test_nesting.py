"""Graphs with their nested models opened."""

import keras
import pytest
from keras import layers

from keras_kd.graphs import graph_of, opened, slots_in
from tests.graphs.topologies import TOPOLOGIES, nested, shared


def paths(graph):
    return [call.path for call in graph.calls]


def test_layers_get_the_paths_that_taps_have():
    graph = opened(graph_of(nested()))
    wanted = {"stem", "backbone/conv1", "backbone/conv2", "pool", "head/dropout", "head/logits", "flat"}
    assert set(paths(graph)) == wanted


@pytest.mark.parametrize("make", TOPOLOGIES.values(), ids=TOPOLOGIES)
def test_the_tensors_are_connected_through_the_models(make):
    graph = opened(graph_of(make()))
    known = set(slots_in(graph.inputs))
    for call in graph.calls:
        assert call.inner is None
        assert known.issuperset(call.reads)
        known.update(call.results)
    assert known.issuperset(slots_in(graph.outputs))
    assert len(graph.symbols) == len(known)


def test_what_a_nested_model_returns_goes_where_it_is_read():
    graph = opened(graph_of(nested()))
    (first,), (second,) = graph.calls_at("backbone/conv1"), graph.calls_at("backbone/conv2")
    assert [call.path for call in graph.readers(first.results[0])] == ["backbone/conv2", "flat"]
    assert [call.path for call in graph.readers(second.results[0])] == ["pool"]


def test_each_call_of_a_shared_model_gives_its_layers_again():
    graph = opened(graph_of(shared()))
    assert [(call.path, call.number) for call in graph.calls_at("tower/hidden")] == [
        ("tower/hidden", 0),
        ("tower/hidden", 1),
    ]
    read = [call.reads[0] for call in graph.calls_at("tower/hidden")]
    assert set(read) == set(slots_in(graph.inputs))


def test_inputs_by_name_and_models_in_models():
    entries = [keras.Input((2,), name="b"), keras.Input((3,), name="a")]
    inner = keras.Model(entries, layers.Concatenate(name="joined")(entries), name="inner")
    middle_in = {"x": keras.Input((2,), name="x"), "y": keras.Input((3,), name="y")}
    middle = keras.Model(middle_in, inner({"a": middle_in["y"], "b": middle_in["x"]}), name="middle")
    x, y = keras.Input((2,)), keras.Input((3,))
    graph = opened(graph_of(keras.Model([x, y], middle({"x": x, "y": y}))))
    assert paths(graph) == ["middle/inner/joined"]
    assert graph.calls[0].reads == slots_in(graph.inputs)


@pytest.mark.parametrize(("shape", "dtype"), [((), "float32"), ((1,), "int32")])
def test_a_model_whose_inputs_keras_converts_stays_closed(shape, dtype):
    """The layer inside reads something else than what is passed."""
    inner = keras.Sequential([keras.Input((1,)), layers.Dense(2)], name="inner")
    inputs = keras.Input(shape, dtype=dtype)
    (call,) = opened(graph_of(keras.Model(inputs, inner(inputs)))).calls
    assert call.path == "inner"
    assert call.inner.name == "inner"
