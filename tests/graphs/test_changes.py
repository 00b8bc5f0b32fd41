"""What cannot be changed is refused before anything is made."""

import keras
import pytest
from keras import layers

from keras_kd.graphs import Bypass, NotCopied, rebuild
from tests.graphs.topologies import TOPOLOGIES, nested, residual


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (Bypass(read=2), r"'add' reads 2 tensors. Received: Bypass\(read=2\)"),
        (Bypass(read=-1), "'add' reads 2 tensors"),
        ([], r"No replacement is given for 'add'. .* Bypass\(\)"),
        (layers.Dense, "'add' can be replaced by layers and other keras.Operations. Received: <class"),
        ([keras.ops.tanh], "'add' can be replaced by layers"),
    ],
)
def test_a_replacement_that_cannot_be(change, message):
    model = residual()
    with pytest.raises(ValueError, match=message):
        rebuild(model, {model.get_layer("add"): change})


def test_a_replacement_of_something_else():
    with pytest.raises(ValueError, match="'other' is not in"):
        rebuild(residual(), {layers.Dense(1, name="other"): Bypass()})
    with pytest.raises(ValueError, match="'add' is not in"):
        rebuild(residual(), {"add": Bypass()})


def test_a_layer_of_the_model_itself_as_a_replacement():
    model = nested()
    inner = model.get_layer("head").get_layer("dropout")
    with pytest.raises(ValueError, match="'pool' cannot be replaced by 'dropout', which is a layer of"):
        rebuild(model, {model.get_layer("pool"): [layers.GlobalAveragePooling2D(), inner]})


def test_a_bypass_of_what_returns_several_tensors():
    model = TOPOLOGIES["several_tensors"]()
    with pytest.raises(ValueError, match="'lstm' returns 3 tensors"):
        rebuild(model, {model.get_layer("lstm"): Bypass()})


def test_a_replacement_inside_of_what_is_replaced_as_a_whole():
    model = nested()
    head = model.get_layer("head")
    with pytest.raises(ValueError, match="'head' is replaced as a whole, so 'logits' inside"):
        rebuild(model, {head: layers.Dense(2), head.get_layer("logits"): layers.Dense(2)})


def test_an_input_that_does_not_exist():
    with pytest.raises(ValueError, match=r"has no input 'lefd'. Did you mean 'left'"):
        rebuild(TOPOLOGIES["shared"](), input_shapes={"lefd": (None, 6)})


def test_layers_that_hold_the_same_weights_would_not_in_copies():
    inner = layers.Dense(3, name="inner")
    inputs = keras.Input((5, 3))
    model = keras.Model(inputs, layers.TimeDistributed(inner, name="outer")(inner(inputs)))
    with pytest.raises(NotCopied, match=r"'inner' and 'outer' of .* hold the same weights"):
        rebuild(model)
    bypassed = rebuild(model, {model.get_layer("outer"): Bypass()})
    assert [layer.name for layer in bypassed.layers][1:] == ["inner"]
    replaced = rebuild(model, {model.get_layer("outer"): layers.Dense(2, name="own")})
    assert [layer.name for layer in replaced.layers][1:] == ["inner", "own"]
