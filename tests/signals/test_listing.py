import keras
import pytest

import keras_kd as kd
from keras_kd.signals.listing import tap_shapes, trace_taps
from tests.signals.models import NAMES, attentive, nested, recurrent, shared


@pytest.mark.parametrize(("make", "names"), NAMES.values(), ids=NAMES)
def test_tap_names(make, names):
    model = make()
    assert sorted(kd.tap_names(model)) == sorted(names)
    if getattr(model, "inputs", None):
        assert kd.tap_names(model) == names


def test_shapes_come_without_running():
    assert tap_shapes(nested()) == {
        "backbone/first": (None, 3),
        "backbone/second": (None, 2),
        "backbone": (None, 2),
        "head": (None, 5),
    }


def test_layers_inside_a_loop_are_not_listed():
    inputs = keras.Input((5, 4))
    model = keras.Model(inputs, keras.layers.RNN(keras.layers.LSTMCell(2, name="cell"), name="rnn")(inputs))
    assert kd.tap_names(model) == ["rnn"]


def test_one_trace_holds_every_call_and_is_of_one_graph():
    model = shared()
    layer = model.get_layer("twice")
    traced = trace_taps(model, {"twice": layer})
    assert list(traced.taps) == ["twice:0", "twice:1"]
    assert traced.outputs.graph is traced.taps["twice:1"].graph is traced.inputs.graph
    assert len(traced.outputs.graph.get_operations()) > 4  # it outlives the trace


def test_elements_and_scores_are_listed_with_their_shapes():
    assert tap_shapes(recurrent(units=2)) == {
        "tokens": (None, 3, 4),
        "lstm/0": (None, 3, 2),
        "lstm/1": (None, 2),
        "lstm/2": (None, 2),
        "head": (None, 3, 2),
    }
    for asks, output in ((False, "mha"), (True, "mha/0")):
        inside = {"mha/query": (None, 3, 2, 3), "mha/key": (None, 3, 2, 3), "mha/value": (None, 3, 2, 3)}
        of_attention = {**inside, "mha/attention_output": (None, 3, 4), output: (None, 3, 4)}
        found = tap_shapes(attentive(asks=asks, dropout=0.1))
        assert {tap: shape for tap, shape in found.items() if tap.startswith("mha")} == {
            **of_attention,
            "mha/scores": (None, 2, 3, 3),
        }


def test_one_tensor_stands_for_a_layer_where_pairs_are_looked_for():
    model = recurrent()
    traced = trace_taps(model, {"lstm": model.get_layer("lstm")})
    assert list(traced.taps) == ["lstm"]
    assert traced.elements == {"lstm": "0"}
    assert kd.pair_taps(model, recurrent(), n=1, verbose=False)[0].student == "lstm/0"
