"""The graph of a model: what it is wired like stays, and what it does not need is left out."""

import keras
import pytest
import tensorflow as tf
import tf_keras

from keras_kd.tfmot.bridge.directions import direction_from_tf_keras, direction_to_tf_keras
from keras_kd.tfmot.bridge.graphs import Slot, read_graph
from tests.tfmot.bridge.models import both_ways, normal, randomized

L = keras.layers


def nested():
    inner = keras.Sequential([keras.Input((4,)), L.Dense(4, name="shared")], name="inner")
    shared = inner.layers[0]
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    middle_in = keras.Input((4,))
    middle = keras.Model(middle_in, {"left": inner(middle_in), "right": L.Dense(2)(middle_in)}, name="middle")
    out = middle(shared(a))
    again = middle(b)
    return keras.Model(
        {"a": a, "b": b},
        {"sum": out["left"] + again["left"], "rest": [out["right"], again["right"]]},
        name="outer",
    )


def test_nested_models_and_shared_layers_stay_so():
    model = randomized(nested())
    over, back = both_ways(model, {"a": normal(4), "b": normal(4)})
    for each in (over, back):
        assert each.name == "outer"
        assert each.get_layer("middle").get_layer("inner").get_layer("shared") is each.get_layer("shared")
        assert len(each.weights) == len(model.weights)
        result = each({"a": normal(4), "b": normal(4)})
        assert set(result) == {"sum", "rest"}
        assert len(result["rest"]) == 2
    assert isinstance(over.get_layer("middle").get_layer("inner"), tf_keras.Sequential)
    assert isinstance(back.get_layer("middle").get_layer("inner"), keras.Sequential)


def test_a_model_may_return_its_input():
    inputs = keras.Input((4,), name="same")
    both_ways(keras.Model(inputs, {"in": inputs, "out": L.Dense(2)(inputs)}), normal(4))


def masked():
    ids = keras.Input((5,), dtype="int32", name="ids")
    x = L.Embedding(4, 3, mask_zero=True)(ids)
    x = L.Bidirectional(L.LSTM(3, return_sequences=True))(x)
    x = L.MultiHeadAttention(2, 3)(x, x)
    return keras.Model(ids, L.GlobalAveragePooling1D()(L.Dropout(0.1)(x)))


@pytest.mark.slow
def test_masks_go_along_and_their_operations_do_not_stay():
    model = randomized(masked())
    over, _ = both_ways(model, tf.constant([[1, 2, 0, 0, 0], [3, 1, 2, 1, 0]]))
    assert [layer.name for layer in over.layers] == [layer.name for layer in model.layers]


@pytest.mark.parametrize("library", [keras, tf_keras], ids=["keras", "tf_keras"])
def test_read_graph_gives_calls_in_an_order_in_which_they_can_be_made(library):
    a, b = library.Input((4,), name="a"), library.Input((4,), name="b", dtype="int32")
    shared = library.layers.Dense(3, name="shared")
    scaled = library.layers.Rescaling(1.0, name="scale")(b)
    both = library.layers.Add(name="both")([shared(a), shared(scaled)])
    direction = direction_to_tf_keras() if library is keras else direction_from_tf_keras()
    graph = read_graph(library.Model({"a": a, "b": b}, {"sum": both}), direction)
    inputs = {entry.name: Slot(index) for index, entry in graph.entries.items()}
    assert graph.inputs == inputs
    assert [(entry.shape, entry.dtype) for entry in graph.entries.values()] == [
        ((None, 4), "float32"),
        ((None, 4), "int32"),
    ]
    names = [call.operation.name for call in graph.calls]
    assert sorted(names) == ["both", "scale", "shared", "shared"]
    made = {slot.index for slot in inputs.values()}
    for call in graph.calls:
        assert made.issuperset(slot.index for slot in call.slots), names
        made.update(call.results)
    assert graph.outputs["sum"].index in made
    assert not graph.sequential
