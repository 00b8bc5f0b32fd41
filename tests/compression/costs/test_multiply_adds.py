"""Multiply-adds are those that TensorFlow's profiler counts, and belong to the variables that cause them."""

import keras
import pytest
from keras import layers

from keras_kd.compression.costs.multiply_adds import Use, uses
from tests.compression.costs.counting import counted, static
from tests.compression.costs.profiler import profiled
from tests.graphs.topologies import TOPOLOGIES

# The profiler does not look into the loops of recurrent layers.
STRAIGHT = {name: make for name, make in TOPOLOGIES.items() if name not in ("masked", "several_tensors")}


@pytest.mark.parametrize("make", STRAIGHT.values(), ids=STRAIGHT)
def test_every_topology_costs_what_the_profiler_counts(make):
    model = make()
    assert counted(model, batch=2) == profiled(model, batch=2) > 0


LINE, IMAGE, VOLUME, WORDS = (12, 4), (9, 8, 4), (5, 6, 7, 2), (5, 8)
LAYERS = {
    "dense": (layers.Dense(3), WORDS),
    "einsum": (layers.EinsumDense("abc,cde->abde", (None, 3, 2)), WORDS),
    "einsum_free": (layers.EinsumDense("...cd,cde->...e", 3), IMAGE),
    "conv1d": (layers.Conv1D(6, 3, strides=2, padding="causal", use_bias=False), LINE),
    "conv2d": (layers.Conv2D(6, (3, 2), strides=2, padding="same"), IMAGE),
    "conv2d_dilated": (layers.Conv2D(6, 3, dilation_rate=2), (10, 8, 4)),
    "conv3d": (layers.Conv3D(6, 3), VOLUME),
    "depthwise1d": (layers.DepthwiseConv1D(3, depth_multiplier=2), LINE),
    "depthwise2d": (layers.DepthwiseConv2D(3, strides=2, depth_multiplier=2, padding="same"), IMAGE),
    "separable1d": (layers.SeparableConv1D(6, 3), LINE),
    "separable2d": (layers.SeparableConv2D(6, 3, strides=2, depth_multiplier=2, padding="same"), IMAGE),
    "transposed1d": (layers.Conv1DTranspose(6, 4, strides=2, padding="same"), LINE),
    "transposed2d": (layers.Conv2DTranspose(6, 3, strides=2, padding="same"), IMAGE),
    "simple_rnn": (layers.SimpleRNN(3, unroll=True), WORDS),
    "lstm": (layers.LSTM(3, unroll=True), WORDS),
    "gru": (layers.GRU(3, unroll=True, return_sequences=True), WORDS),
    "stacked": (layers.RNN([layers.GRUCell(3), layers.LSTMCell(4)], unroll=True), WORDS),
    "bidirectional": (layers.Bidirectional(layers.GRU(3, unroll=True)), WORDS),
    "conv_lstm": (layers.ConvLSTM1D(6, 3, strides=2, unroll=True), (5, 12, 4)),
    "conv_lstm2d": (layers.ConvLSTM2D(3, 2, unroll=True, return_sequences=True), VOLUME),
    "time_distributed": (layers.TimeDistributed(layers.Conv2D(3, 2)), VOLUME),
    "time_distributed_rnn": (layers.TimeDistributed(layers.SimpleRNN(3, unroll=True)), (2, 3, 4)),
    "spectral": (layers.SpectralNormalization(layers.Conv2D(3, 2)), IMAGE),
    "embedding": (layers.Embedding(7, 3), (5,)),
    "pooling": (layers.MaxPool2D(), IMAGE),
    "norm": (layers.LayerNormalization(), WORDS),
}


# These take the longest to trace; the profiler sees no loops, so that they are unrolled.
SLOW = "simple_rnn", "lstm", "stacked", "bidirectional", "conv_lstm", "conv_lstm2d", "time_distributed_rnn"
SLOW += "conv1d", "conv3d", "depthwise1d", "separable1d", "transposed1d", "spectral", "time_distributed"


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in LAYERS]
)
def test_every_layer_costs_what_the_profiler_counts(name):
    layer, shape = LAYERS[name]
    inputs = keras.Input(shape)
    model = keras.Model(inputs, layer(inputs))
    assert counted(model, batch=2) == profiled(model, batch=2)


def test_groups_read_their_own_channels_only():  # TensorFlow compiles them, so that its profiler sees nothing
    inputs = keras.Input(IMAGE)
    model = keras.Model(inputs, layers.Conv2D(6, 3, groups=2)(inputs))
    assert counted(model) == (7 * 6) * (3 * 3) * (4 // 2) * 6


def attend(layer, width=6):
    query, value = keras.Input((5, 8)), keras.Input((7, width))
    return keras.Model([query, value], layer(query, value))


def attention_over(axes):
    image = keras.Input((3, 5, 8))
    return keras.Model(image, layers.MultiHeadAttention(2, 4, attention_axes=axes)(image, image))


def tied():
    words, shared = keras.Input((5,)), layers.ReversibleEmbedding(7, 3)
    return keras.Model(words, shared(shared(words), reverse=True))


ATTENTIONS = {
    "heads": lambda: attend(layers.MultiHeadAttention(3, 4, value_dim=2)),
    "gated": lambda: attend(layers.MultiHeadAttention(3, 4, use_gate=True)),
    "grouped": lambda: attend(layers.GroupQueryAttention(4, 6, 2), width=8),
    "axes": lambda: attention_over((2,)),
    "all_axes": lambda: attention_over(None),
    "reversed": lambda: tied(),
}


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(make, id=name, marks=[] if name == "heads" else [pytest.mark.slow])
        for name, make in ATTENTIONS.items()
    ],
)
def test_every_attention_costs_what_the_profiler_counts(make):
    model = make()
    assert counted(model, batch=2) == profiled(model, batch=2)


def test_cut_variables_give_the_multiply_adds_of_the_cut_model():
    """Whoever removes heads, sizes or channels knows the result before anything is built."""
    whole, cut = (attend(layers.MultiHeadAttention(heads, 4, value_dim=2)) for heads in (3, 2))
    graph = static(whole)
    (call,) = graph.calls
    shapes = {
        variable.path: tuple(smaller.shape)
        for variable, smaller in zip(whole.variables, cut.variables, strict=True)
    }
    found = uses(call, graph)
    assert sum(use.multiply_adds(shapes[use.variable.path]) for use in found) == counted(cut)
    assert {id(use.variable) for use in found} <= {id(variable) for variable in whole.variables}


def test_uses_name_the_variables_with_their_positions():
    model = TOPOLOGIES["residual"]()
    graph = static(model)
    found = {call.path: uses(call, graph) for call in graph.calls}
    assert found["conv"] == [Use(model.get_layer("conv").kernel, 64)]
    assert found["head"] == [Use(model.get_layer("head").kernel, 1)]
    assert found["norm"] == []


def test_variables_inside_of_users_layers_are_the_models_own():
    model = TOPOLOGIES["of_users_layers"]()
    graph = static(model)
    block = model.get_layer("block1")
    calls = len(block.first._inbound_nodes)
    assert uses(graph.calls_at("block1")[0], graph) == [
        Use(block.first.kernel, 1),
        Use(block.second.kernel, 1),
    ]
    assert len(block.first._inbound_nodes) == calls  # and they have not been called


def test_weights_with_adapters_are_counted_once():
    model = keras.Sequential([keras.Input((8,)), layers.Dense(4, name="dense")])
    model.get_layer("dense").enable_lora(2)
    assert counted(model) == 32
