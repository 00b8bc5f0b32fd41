"""Kernels: found in every kind of layer, seen as matrices of what is summed over."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_kd.compression.kernels import kernels_of


def sequential(shape, *inner, name="model"):
    return keras.Sequential([keras.Input(shape), *inner], name=name)


def attention(layer):
    inputs = keras.Input((5, 4))
    return keras.Model(inputs, layer(inputs, inputs))


class Undeclared(layers.Layer):
    def build(self, shape):
        self.mix = self.add_weight(shape=(3, shape[-1], 2), name="anything")
        self.scale = self.add_weight(shape=(2,), name="scale")
        self.spare = [self.add_weight(shape=(2, 2), name="spare")]

    def call(self, x):
        return keras.ops.einsum("bc,pco->bo", x, self.mix) * self.scale


class Declared(Undeclared):
    """A layer that names its weights as layers for tfmot do."""

    def get_prunable_weights(self):
        return [self.mix, self.scale]


class Branches(keras.Model):
    """Layers as attributes, in lists and in other layers."""

    def __init__(self):
        super().__init__(name="branches")
        self.stem = layers.Dense(4, name="another_name")
        self.blocks = [layers.Dense(4), keras.Sequential([layers.Dense(4, name="inner")], name="block")]
        self.head = layers.Dense(2)

    def call(self, x):
        return self.head(self.blocks[1](self.blocks[0](self.stem(x))))


def called(model, shape):
    model(np.zeros((1, *shape)))
    return model


def square(name):
    return layers.Dense(4, name=name)


CELL = ["l/cell/kernel", "l/cell/recurrent_kernel"]
BOTH = [
    f"l/{way}/cell/{kind}kernel" for way in ("forward_layer", "backward_layer") for kind in ("", "recurrent_")
]
STACKED = [f"l/cell/cells/{i}/{kind}kernel" for i in (0, 1) for kind in ("", "recurrent_")]
QKV = [f"l/{name}/kernel" for name in ("query", "key", "value", "attention_output")]

# For each kind of layer: a model, and the names and shapes of the kernels seen as matrices.
FOUND = {
    "Dense": (lambda: sequential((4,), layers.Dense(3, name="l")), {"l/kernel": (4, 3)}),
    "Conv1D": (lambda: sequential((6, 4), layers.Conv1D(3, 2, name="l")), {"l/kernel": (8, 3)}),
    "Conv2D": (lambda: sequential((6, 6, 4), layers.Conv2D(3, (2, 3), name="l")), {"l/kernel": (24, 3)}),
    "Conv2D of groups": (
        lambda: sequential((6, 6, 4), layers.Conv2D(6, 2, groups=2, name="l")),
        {"l/kernel": (8, 6)},
    ),
    "Conv3D": (lambda: sequential((4, 4, 4, 2), layers.Conv3D(3, 2, name="l")), {"l/kernel": (16, 3)}),
    "Conv1DTranspose": (
        lambda: sequential((6, 4), layers.Conv1DTranspose(3, 2, name="l")),
        {"l/kernel": (8, 3)},
    ),
    "Conv2DTranspose": (
        lambda: sequential((6, 6, 4), layers.Conv2DTranspose(3, 2, name="l")),
        {"l/kernel": (16, 3)},
    ),
    "Conv3DTranspose": (
        lambda: sequential((3, 3, 3, 2), layers.Conv3DTranspose(3, 2, name="l")),
        {"l/kernel": (16, 3)},
    ),
    "DepthwiseConv1D": (
        lambda: sequential((6, 4), layers.DepthwiseConv1D(2, name="l")),
        {"l/kernel": (8, 1)},
    ),
    "DepthwiseConv2D": (
        lambda: sequential((6, 6, 4), layers.DepthwiseConv2D(2, depth_multiplier=3, name="l")),
        {"l/kernel": (16, 3)},
    ),
    "SeparableConv1D": (
        lambda: sequential((6, 4), layers.SeparableConv1D(3, 2, name="l")),
        {"l/depthwise_kernel": (8, 1), "l/pointwise_kernel": (4, 3)},
    ),
    "SeparableConv2D": (
        lambda: sequential((6, 6, 4), layers.SeparableConv2D(3, 2, name="l")),
        {"l/depthwise_kernel": (16, 1), "l/pointwise_kernel": (4, 3)},
    ),
    "EinsumDense": (
        lambda: sequential((5, 4), layers.EinsumDense("abc,cde->abde", (None, 3, 2), name="l")),
        {"l/kernel": (4, 6)},
    ),
    "EinsumDense over two axes": (
        lambda: sequential((5, 4), layers.EinsumDense("abc,bcd->ad", (3,), name="l")),
        {"l/kernel": (20, 3)},
    ),
    "EinsumDense, a kernel for each position": (
        lambda: sequential((5, 4), layers.EinsumDense("abc,bcd->abd", (5, 3), name="l")),
        {"l/kernel": (4, 15)},
    ),
    "EinsumDense that scales": (
        lambda: sequential((4,), layers.EinsumDense("ab,b->ab", (4,), name="l")),
        {"l/kernel": (1, 4)},
    ),
    "SimpleRNN": (
        lambda: sequential((5, 4), layers.SimpleRNN(3, name="l")),
        dict(zip(CELL, [(4, 3), (3, 3)], strict=True)),
    ),
    "GRU": (
        lambda: sequential((5, 4), layers.GRU(3, name="l")),
        dict(zip(CELL, [(4, 9), (3, 9)], strict=True)),
    ),
    "LSTM": (
        lambda: sequential((5, 4), layers.LSTM(3, name="l")),
        dict(zip(CELL, [(4, 12), (3, 12)], strict=True)),
    ),
    "RNN of a cell": (
        lambda: sequential((5, 4), layers.RNN(layers.GRUCell(3), name="l")),
        dict(zip(CELL, [(4, 9), (3, 9)], strict=True)),
    ),
    "RNN of stacked cells": (
        lambda: sequential((5, 4), layers.RNN([layers.LSTMCell(3), layers.SimpleRNNCell(2)], name="l")),
        dict(zip(STACKED, [(4, 12), (3, 12), (3, 2), (2, 2)], strict=True)),
    ),
    "Bidirectional": (
        lambda: sequential((5, 4), layers.Bidirectional(layers.GRU(3), name="l")),
        dict(zip(BOTH, [(4, 9), (3, 9)] * 2, strict=True)),
    ),
    "TimeDistributed": (
        lambda: sequential((5, 4), layers.TimeDistributed(layers.Dense(3), name="l")),
        {"l/layer/kernel": (4, 3)},
    ),
    "ConvLSTM1D": (
        lambda: sequential((3, 6, 2), layers.ConvLSTM1D(3, 2, name="l")),
        dict(zip(CELL, [(4, 12), (6, 12)], strict=True)),
    ),
    "ConvLSTM2D": (
        lambda: sequential((3, 6, 6, 2), layers.ConvLSTM2D(3, 2, name="l")),
        dict(zip(CELL, [(8, 12), (12, 12)], strict=True)),
    ),
    "MultiHeadAttention": (
        lambda: attention(layers.MultiHeadAttention(2, 3, name="l")),
        dict(zip(QKV, [(4, 6), (4, 6), (4, 6), (6, 4)], strict=True)),
    ),
    "GroupQueryAttention": (
        lambda: attention(layers.GroupQueryAttention(3, 2, 1, name="l")),
        dict(zip(QKV, [(4, 6), (4, 3), (4, 3), (6, 4)], strict=True)),
    ),
    "SpectralNormalization": (
        lambda: sequential((4,), layers.SpectralNormalization(layers.Dense(3), name="l")),
        {"l/layer/kernel": (4, 3)},
    ),
    "Embedding, which comes last": (
        lambda: sequential((7,), layers.Embedding(10, 4, name="l"), layers.Dense(3, name="d")),
        {"d/kernel": (4, 3), "l/embeddings": (10, 4)},
    ),
    "a layer of one's own": (
        lambda: sequential((4,), Declared(name="l")),
        {"l/mix": (12, 2), "l/scale": (2, 1)},
    ),
    "a subclassed model": (
        lambda: called(Branches(), (4,)),
        {
            "stem/kernel": (4, 4),
            "blocks/0/kernel": (4, 4),
            "blocks/1/inner/kernel": (4, 4),
            "head/kernel": (4, 2),
        },
    ),
    "nested models": (
        lambda: sequential(
            (4,), sequential((4,), square("a"), sequential((4,), square("b"), name="in"), name="out")
        ),
        {"out/a/kernel": (4, 4), "out/in/b/kernel": (4, 4)},
    ),
    "no kernels": (
        lambda: sequential((4,), layers.BatchNormalization(), layers.ReLU(), Undeclared()),
        {},
    ),
}


@pytest.mark.parametrize("kind", FOUND)
def test_kernels_are_found(kind):
    make, expected = FOUND[kind]
    kernels = kernels_of(make())
    shapes = {kernel.path: kernel.matrix(kernel.value()).shape for kernel in kernels}
    assert list(shapes.items()) == list(expected.items())
    for kernel in kernels:
        inputs, outputs = shapes[kernel.path]
        assert kernel.inputs is None or outputs == kernel.outputs
        assert inputs % kernel.run == 0
        value = np.random.default_rng(0).normal(size=kernel.variable.shape)
        np.testing.assert_array_equal(kernel.unmatrix(kernel.matrix(value)), value)


def random_weights(model):
    random = np.random.default_rng(0)
    model.set_weights([random.normal(size=w.shape) for w in model.get_weights()])


# Input channel `i` of these models is rows `i`, `i + run`, ... of the kernel.
SUMMED = [
    name
    for name in FOUND
    if name.startswith(("Dense", "Conv", "EinsumDense", "SimpleRNN", "GRU", "LSTM", "RNN", "Time", "Sep"))
    and name not in ("Conv2D of groups", "EinsumDense over two axes", "EinsumDense that scales")
]


# Loops over time take long without a graph; SimpleRNN and LSTM stand for them in the fast tests.
LOOPS = "GRU", "RNN of a cell", "RNN of stacked cells", "ConvLSTM1D", "ConvLSTM2D"


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[pytest.mark.slow] if kind in LOOPS else []) for kind in SUMMED]
)
def test_rows_of_the_matrix_are_what_is_summed_over(kind):
    model = FOUND[kind][0]()
    random_weights(model)
    kernel = next(k for k in kernels_of(model) if k.name != "depthwise_kernel")
    x = np.random.default_rng(1).normal(size=(2, *model.input_shape[1:])).astype("float32")
    for channel in (0, kernel.run - 1):
        without = x.copy()
        without[..., channel] = 0
        expected = np.array(model(without))
        whole = kernel.value()
        matrix = kernel.matrix(whole).copy()
        matrix[channel :: kernel.run] = 0
        kernel.variable.assign(kernel.unmatrix(matrix))
        found = np.array(model(x))
        kernel.variable.assign(whole)
        np.testing.assert_allclose(found, expected, atol=1e-5)
        assert not np.allclose(found, model(x), atol=1e-3)


@pytest.mark.parametrize("kind", ["MultiHeadAttention", "GroupQueryAttention"])
def test_rows_of_attention_are_channels_and_the_features_of_heads(kind):
    model = FOUND[kind][0]()
    random_weights(model)
    attention = model.layers[-1]
    query, *_, output = kernels_of(model)
    source, x = np.random.default_rng(1).normal(size=(2, 1, 5, 4)).astype("float32")
    whole, channel = query.value(), 2
    matrix = query.matrix(whole).copy()
    matrix[channel] = 0
    query.variable.assign(query.unmatrix(matrix))
    found = np.array(attention(x, source))
    query.variable.assign(whole)
    without = x.copy()
    without[..., channel] = 0
    np.testing.assert_allclose(found, attention(without, source), atol=1e-5)
    # Row 4 of the output is feature 1 of head 1: what the value's kernel and bias put there.
    head, feature = 1, 1
    matrix = output.matrix(output.value()).copy()
    matrix[3 * head + feature] = 0
    kept = np.ones(output.variable.shape, bool)
    kept[head, feature] = False
    np.testing.assert_array_equal(output.unmatrix(matrix), output.value() * kept)


def test_rows_of_an_einsum_over_two_axes_run_through_the_last():
    model = FOUND["EinsumDense over two axes"][0]()
    random_weights(model)
    kernel = kernels_of(model)[0]
    assert kernel.run == 20
    x = np.random.default_rng(1).normal(size=(2, 5, 4)).astype("float32")
    bare = x.reshape(2, 20) @ kernel.matrix(kernel.value())
    np.testing.assert_allclose(model(x), bare, atol=1e-5)


def test_rows_of_a_recurrent_kernel_are_units_of_the_state():
    model = sequential((5, 4), layers.SimpleRNN(3, return_sequences=True, name="l"))
    random_weights(model)
    recurrent = kernels_of(model)[1]
    matrix = recurrent.matrix(recurrent.value()).copy()
    matrix[1] = 0
    inputs, bias = model.layers[0].cell.kernel, model.layers[0].cell.bias
    x = np.random.default_rng(1).normal(size=(2, 5, 4)).astype("float32")
    state = np.zeros((2, 3))
    for step in range(5):
        state = np.tanh(x[:, step] @ np.array(inputs) + np.array(bias) + (state * [1, 0, 1]) @ matrix)
    recurrent.variable.assign(recurrent.unmatrix(matrix))
    np.testing.assert_allclose(model(x)[:, -1], state, atol=1e-5)


@pytest.mark.parametrize("kind", ["DepthwiseConv1D", "DepthwiseConv2D", "EinsumDense that scales"])
def test_nothing_is_summed_over_where_each_input_has_its_own_weights(kind):
    assert kernels_of(FOUND[kind][0]())[0].inputs is None


def test_a_shared_layer_is_one_kernel():
    shared, first, second = square("shared"), keras.Input((4,)), keras.Input((4,))
    left = keras.Model(first, shared(first), name="left")
    right = keras.Model(second, shared(second), name="right")
    sums = layers.add([left(first), right(second), shared(second)])
    model = keras.Model([first, second], layers.Dense(2, name="head")(sums))
    assert [kernel.layer for kernel in kernels_of(model)] == ["left/shared", "head"]


def test_a_name_that_two_layers_have_does_not_hide_one():
    class Same(keras.Model):
        def __init__(self):
            super().__init__(name="same")
            self._blocks = [square("fc") for _ in range(3)]

        def call(self, x):
            for block in self._blocks:
                x = block(x)
            return x

    model = called(Same(), (4,))
    assert len({id(kernel.variable) for kernel in kernels_of(model)}) == 3


def test_lora_is_left_alone():
    model = sequential((4,), square("plain"), square("adapted"))
    model.get_layer("adapted").enable_lora(2)
    assert [kernel.layer for kernel in kernels_of(model)] == ["plain"]


def test_quantized_layers_are_left_alone():
    model = sequential((4,), square("plain"), square("small"))
    model.get_layer("small").quantize("int8")
    assert [kernel.layer for kernel in kernels_of(model)] == ["plain"]


@pytest.mark.parametrize(
    "make", [Branches, lambda: keras.Sequential([layers.Dense(3)])], ids=["own", "stock"]
)
def test_a_model_that_is_not_built_is_refused(make):
    with pytest.raises(ValueError, match=r"is not built, so it has no weights yet\. Give it an Input"):
        kernels_of(make())


class NamesItsWeights(keras.layers.Dense):
    """Says itself what of it can be pruned."""

    def __init__(self, names, **options):
        super().__init__(4, **options)
        self.names, self.inner = names, keras.layers.Dense(4)

    def build(self, shape):
        super().build(shape)
        self.inner.build(shape)
        self.extra = self.add_weight(shape=(4, 4), name="extra")

    def get_prunable_weights(self):
        every = {"kernel": self.kernel, "extra": self.extra, "inner": self.inner.kernel}
        return [every[name] for name in self.names]


@pytest.mark.parametrize("names", [[], ["extra"], ["kernel", "extra"], ["inner"]], ids=str)
def test_get_prunable_weights_of_a_layer_replaces_what_is_known_of_its_class(names):
    model = keras.Sequential(
        [keras.Input((4,)), NamesItsWeights(names, name="own"), keras.layers.Dense(2, name="head")]
    )
    found = {kernel.path for kernel in kernels_of(model)}
    paths = {"inner": "own/kernel"} | {name: f"own/{name}" for name in ("kernel", "extra")}
    assert found - {"own/inner/kernel"} == {"head/kernel", *(paths[name] for name in names)}
