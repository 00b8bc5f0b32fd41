"""The layers that have kernels, and why some cannot be factorized."""

import keras
import pytest
from keras import layers

from keras_kd.compression.low_rank.sites import opened_for_one_sample, sites_in
from tests.graphs.topologies import nested, of_users_layers, shared


@keras.saving.register_keras_serializable("low_rank")
class MyDense(layers.Dense):
    """A layer of a user that computes something else."""


IMAGE, STEPS = (8, 8, 3), (5, 3)
REASONS = {
    "each of its channels": (lambda: layers.DepthwiseConv2D(3), IMAGE),
    "separable already": (lambda: layers.SeparableConv2D(4, 3), IMAGE),
    "transposed convolutions are not": (lambda: layers.Conv2DTranspose(4, 3), IMAGE),
    "recurrent layers": (lambda: layers.GRU(4), STEPS),
    "recurrent layers hold": (lambda: layers.Bidirectional(layers.LSTM(4)), STEPS),
    "multiplies nothing": (lambda: layers.Embedding(9, 4), (5,)),
    "class MyDense": (lambda: MyDense(4), (5,)),
    "class SpectralNormalization|what it wraps": (
        lambda: layers.SpectralNormalization(layers.Dense(4)),
        (5,),
    ),
    "what it wraps is not": (lambda: layers.TimeDistributed(layers.DepthwiseConv1D(3)), (2, 5, 3)),
    "has a constraint": (lambda: layers.Dense(4, kernel_constraint="non_neg"), (5,)),
}


def sites_of(layer, shape):
    inputs = keras.Input(shape)
    return sites_in(opened_for_one_sample(keras.Model(inputs, layer(inputs))))


@pytest.mark.parametrize(("reason", "entry"), REASONS.items(), ids=REASONS)
def test_what_cannot_be_factorized_is_told_why(reason, entry):
    make, shape = entry
    (site,) = sites_of(make(), shape)
    assert any(text in site.reason for text in reason.split("|"))


def test_attention_whose_heads_share_a_key_and_attention_with_a_constraint():
    inputs = keras.Input((4, 8))
    grouped, held = (
        layers.GroupQueryAttention(2, 4, 2),
        layers.MultiHeadAttention(2, 2, kernel_constraint="non_neg"),
    )
    sites = sites_in(opened_for_one_sample(keras.Model(inputs, held(grouped(inputs, inputs), inputs))))
    assert [site.reason.split(",")[0] for site in sites] == ["its query heads share a key", "its kernel"]


def test_quantized_layers_and_lora():
    quantized, adapted = layers.Dense(16), layers.Dense(16)
    model = keras.Sequential([keras.Input((16,)), quantized, adapted])
    quantized.quantize("int8")
    adapted.enable_lora(2)
    assert [site.reason for site in sites_in(opened_for_one_sample(model))] == [
        "Keras has quantized it",
        "it has LoRA weights: merge them first",
    ]


def test_paths_kinds_and_calls():
    assert [site.layer for site in sites_in(opened_for_one_sample(nested()))] == [
        "stem",
        "backbone/conv1",
        "backbone/conv2",
        "head/logits",
    ]
    assert [(site.layer, len(site.calls)) for site in sites_in(opened_for_one_sample(shared()))] == [
        ("tower/hidden", 2),
        ("scale", 2),
    ]
    assert [site.kind for site in sites_in(opened_for_one_sample(of_users_layers()))] == [
        "Block",
        "Block",
        "Dense",
    ]
    (site,) = sites_of(layers.TimeDistributed(layers.Dense(4)), (2, 5, 3))
    assert site.kind == "TimeDistributed Dense"
    assert site.shapes() == [((2, 5, 3), (2, 5, 4))]


def test_a_nested_model_that_is_not_opened_is_named():
    entry = keras.Input((4, 4), dtype="int32")
    inner = keras.Model(entry, layers.Dense(3)(entry), name="inner")
    inputs = keras.Input((4, 4))
    (site,) = sites_in(opened_for_one_sample(keras.Model(inputs, inner(inputs))))
    assert site.layer == "inner"
    assert "not opened" in site.reason
