"""What the name of a tap means."""

import keras
import pytest

from keras_kd.signals.addresses import offers_scores, resolve, takes_scores, unknown_tap
from tests.signals.models import attentive, functional, heads, nested, recurrent, shared


@pytest.mark.parametrize(
    ("make", "tap", "meaning"),
    [
        (functional, "first", ("first", None, "", "")),
        (shared, "twice:1", ("twice", 1, "", "")),
        (nested, "backbone/first", ("backbone/first", None, "", "")),
        (nested, "backbone/first/kernel", ("backbone/first", None, "", "kernel")),
        (recurrent, "lstm/1", ("lstm", None, "1", "")),
        (recurrent, "lstm:0/1", ("lstm", 0, "1", "")),
        (heads, "block/hidden", ("block/hidden", None, "", "")),
        (heads, "block/output/hidden", ("block", None, "hidden", "")),
        (heads, "block/scale", ("block", None, "", "scale")),
        (heads, "block/heads/1", ("block", None, "heads/1", "")),
        (attentive, "mha/scores", ("mha", None, "scores", "")),
        (attentive, "mha/query/kernel", ("mha/query", None, "", "kernel")),
    ],
)
def test_a_layer_comes_before_a_weight_and_a_weight_before_an_element(make, tap, meaning):
    address = resolve(make(), tap)
    assert (address.path, address.call, address.element, address.weight) == meaning


def test_near_misses_are_suggested():
    with pytest.raises(ValueError, match=r"No tap 'frist' in model 'functional'. Did you mean 'first'"):
        resolve(functional(), "frist")
    layers = {"lstm": keras.layers.LSTM(2)}
    assert "Did you mean 'lstm/0', 'lstm/1'?" in str(unknown_tap("m", layers, "lstm/9", ["lstm/0", "lstm/1"]))


def test_which_layers_have_scores():
    plain, flash = (keras.layers.MultiHeadAttention(2, 3, flash_attention=flash) for flash in (None, True))
    assert takes_scores(plain)
    assert takes_scores(flash)
    assert offers_scores(plain)
    assert not offers_scores(flash)
    assert not takes_scores(keras.layers.Dense(3))
