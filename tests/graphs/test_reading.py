"""What a graph says of a model."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_kd.graphs import graph_of, is_graph, slots_in
from tests.graphs.topologies import TOPOLOGIES, masked, nested, residual, shared

topologies = pytest.mark.parametrize("make", TOPOLOGIES.values(), ids=TOPOLOGIES)


@topologies
def test_a_call_reads_what_was_returned_before_it(make):
    graph = graph_of(make())
    known = set(slots_in(graph.inputs))
    for call in graph.calls:
        assert known.issuperset(call.reads)
        assert known.isdisjoint(call.results)
        known.update(call.results)
    assert known.issuperset(slots_in(graph.outputs))


@topologies
def test_every_layer_is_there_once_for_each_of_its_calls(make):
    model = make()
    found = [call.operation for call in graph_of(model).calls if isinstance(call.operation, layers.Layer)]
    wanted = [layer for layer in model.layers if not isinstance(layer, layers.InputLayer)]
    assert list(dict.fromkeys(found)) == wanted or set(found) == set(wanted)


def test_structures_shapes_and_names():
    model = TOPOLOGIES["named_inputs_and_outputs"]()
    graph = graph_of(model)
    assert graph.inputs.keys() == {"a", "b"}
    assert graph.outputs.keys() == {"score", "hidden"}
    assert graph.shape(graph.inputs["b"]) == (None, 4)
    assert graph.symbol(graph.inputs["b"]).name == "b"
    assert graph.maker(graph.outputs["score"]).path == "score"
    assert graph.maker(graph.inputs["a"]) is None
    assert [call.path for call in graph.readers(graph.outputs["hidden"])] == ["score"]
    assert graph.model is model


def test_the_calls_of_a_shared_layer_are_numbered():
    graph = graph_of(shared())
    assert [(call.path, call.number) for call in graph.calls_at("scale")] == [("scale", 0), ("scale", 1)]
    assert len({call.results for call in graph.calls_at("tower")}) == 2
    assert [call.inner.name for call in graph.calls_at("tower")] == ["tower", "tower"]


def test_masks_that_keras_passes_by_itself_are_left_out_and_those_of_a_user_are_not():
    graph = graph_of(masked())
    (attention,) = graph.calls_at("attention")
    assert "NotEqual" not in [type(call.operation).__name__ for call in graph.calls]
    assert attention.kwargs == {}
    inputs, mask = keras.Input((5, 3)), keras.Input((5,), dtype="bool")
    given = keras.Model([inputs, mask], layers.GRU(2, name="rnn")(inputs, mask=mask))
    (rnn,) = graph_of(given).calls_at("rnn")
    assert rnn.reads == slots_in(graph_of(given).inputs)


class Gate(layers.Layer):
    def compute_mask(self, x, mask):
        return mask

    def call(self, x, gate_mask=None):
        return x if gate_mask is None else x * ops.expand_dims(ops.cast(gate_mask, x.dtype), -1)


@pytest.mark.parametrize("positional", [True, False])
def test_the_mask_of_a_tensor_that_a_user_passes_as_an_argument_of_another_name_stays(positional):
    inputs = keras.Input((5,), dtype="int32")
    x = layers.Embedding(7, 4, mask_zero=True, name="embedding")(inputs)
    mask = x._keras_mask
    gated = Gate(name="gate")(x, mask) if positional else Gate(name="gate")(x, gate_mask=mask)
    (gate,) = graph_of(keras.Model(inputs, gated)).calls_at("gate")
    assert len(gate.reads) == 2


def test_no_mask_is_no_argument():
    """What takes the place of the layer may have no such argument."""
    inputs = keras.Input((4,))
    hidden = layers.BatchNormalization(name="norm")(inputs)
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(2)], name="inner")
    graph = graph_of(keras.Model(inputs, inner(hidden)))
    assert [call.kwargs for call in graph.calls] == [{}, {}]


def test_layers_outside_of_the_model_are_no_part_of_it():
    inputs = keras.Input((4,))
    hidden = layers.Dense(4, name="hidden")(inputs)
    layers.Dense(4, name="outside")(hidden)
    graph = graph_of(keras.Model(inputs, layers.Dense(1, name="head")(hidden)))
    assert [call.path for call in graph.calls] == ["hidden", "head"]


def test_near_misses():
    with pytest.raises(ValueError, match=r"no operation 'blok'. Did you mean 'block'"):
        graph_of(residual()).calls_at("blok")


class Subclassed(keras.Model):
    def call(self, x):
        return x


class Wired(keras.Model):
    """Functional, with a call of its own."""

    def call(self, x):
        return 2 * super().call(x)


def test_what_has_no_graph_says_what_to_do():
    inputs = keras.Input((2,))
    for model in (Subclassed(), keras.Sequential([layers.Dense(1)]), Wired(inputs, layers.Dense(1)(inputs))):
        assert not is_graph(model)
        with pytest.raises(ValueError, match=r"has no graph.*keras\.Model\(inputs, model\(inputs\)\)"):
            graph_of(model)
    built = keras.Sequential([layers.Dense(1)])
    built(np.zeros((2, 3)))
    assert is_graph(built)
    assert not is_graph(layers.Dense(1))


def test_to_read_leaves_the_model_alone():
    model = nested()
    before = model.get_config()
    graph_of(model)
    assert model.get_config() == before
