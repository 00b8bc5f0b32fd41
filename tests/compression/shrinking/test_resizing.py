"""Layers for weights of other shapes keep everything else."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_kd.compression.shrinking.resizing import resized
from tests.compression.shrinking.models import conv, headed, image_model
from tests.compression.shrinking.oracle import assert_like_the_oracle


def doubled(x):
    return ops.tanh(x) * 2.0


def shapes_of(layer, **new):
    """The shapes of a layer's weights, some of them others, by the end of their path."""
    found = {id(v): tuple(v.shape) for v in layer.variables}
    for v in layer.variables:
        for name, shape in new.items():
            if v.path.replace("/", "_").endswith(name):
                found[id(v)] = shape
    return found


CASES = {
    "dense": (lambda: layers.Dense(6), (4,), {"kernel": (4, 3)}, {"units": 3}),
    "conv": (lambda: layers.Conv2D(6, 3), (8, 8, 4), {"kernel": (3, 3, 4, 5)}, {"filters": 5, "groups": 1}),
    "grouped": (
        lambda: layers.Conv2D(6, 3, groups=2),
        (8, 8, 4),
        {"kernel": (3, 3, 1, 4)},
        {"filters": 4, "groups": 2},
    ),
    "depthwise_groups": (
        lambda: layers.Conv2D(8, 3, groups=4),
        (8, 8, 4),
        {"kernel": (3, 3, 1, 6)},
        {"filters": 6, "groups": 3},
    ),
    "transposed": (lambda: layers.Conv1DTranspose(6, 3), (8, 4), {"kernel": (3, 2, 4)}, {"filters": 2}),
    "separable": (
        lambda: layers.SeparableConv1D(6, 3),
        (8, 4),
        {"pointwise_kernel": (1, 4, 2)},
        {"filters": 2},
    ),
    "embedding": (lambda: layers.Embedding(7, 6), (5,), {"embeddings": (7, 2)}, {"output_dim": 2}),
    "lstm": (lambda: layers.LSTM(6), (5, 4), {"recurrent_kernel": (2, 8)}, {"units": 2}),
    "instances": (
        lambda: layers.GroupNormalization(-1),
        (8, 4),
        {"gamma": (2,), "beta": (2,)},
        {"groups": 2},
    ),
    "group_norm": (
        lambda: layers.GroupNormalization(2),
        (8, 4),
        {"gamma": (2,), "beta": (2,)},
        {"groups": 2},
    ),
    "einsum": (
        lambda: layers.EinsumDense("abc,cde->abde", output_shape=(None, 4, 6)),
        (5, 3),
        {"kernel": (3, 4, 2)},
        {"output_shape": (None, 4, 2)},
    ),
    "batch_norm": (lambda: layers.BatchNormalization(momentum=0.3), (4,), {"gamma": (2,)}, {"momentum": 0.3}),
}


@pytest.mark.parametrize("name", CASES)
def test_the_sizes_of_a_layer_follow_from_its_weights(name):
    make, shape, new, expected = CASES[name]
    layer = make()
    layer.build((None, *shape))
    made = resized(layer, shapes_of(layer, **new))
    assert type(made) is type(layer)
    assert made.name == layer.name
    config = made.get_config()
    assert {key: config[key] for key in expected} == expected
    changed = {key for key, value in layer.get_config().items() if config[key] != value}
    assert changed <= {*expected, "build_config"}


def body_with_settings(x):
    kwargs = {
        "kernel_regularizer": keras.regularizers.L2(0.25),
        "kernel_constraint": keras.constraints.MaxNorm(3.0),
        "bias_constraint": "non_neg",
        "dtype": "mixed_float16",
        "activation": doubled,
    }
    x = conv(6, "conv", **kwargs)(x)
    x = layers.BatchNormalization(name="norm", trainable=False, dtype="float32")(x)
    return conv(5, "after")(x)


def test_settings_of_a_smaller_layer_survive():
    model = image_model(body_with_settings)()
    model.get_layer("after").bias.trainable = False
    small = assert_like_the_oracle(model)
    new = small.get_layer("conv")
    assert (new.filters, new.dtype_policy.name) == (3, "mixed_float16")
    assert new.activation is doubled
    assert new.kernel_regularizer.l2 == 0.25
    assert new.kernel_constraint.max_value == 3.0
    assert isinstance(new.bias_constraint, keras.constraints.NonNeg)
    assert small.get_layer("norm").trainable is False
    assert small.get_layer("after").kernel.trainable
    assert not small.get_layer("after").bias.trainable
    trained = {v.path.split("/")[-2:][0] for v in small.trainable_variables}
    assert trained == {"stem", "conv", "after", "head"}


def test_arrays_that_initialized_weights_are_not_needed_any_more():
    """Pretrained embeddings come as an array, which is too wide for the smaller layer."""
    table = np.random.default_rng(0).normal(size=(7, 8)).astype("float32")
    inputs = keras.Input((5,), dtype="int32")
    words = layers.Embedding(7, 8, embeddings_initializer=keras.initializers.Constant(table), name="words")
    model = headed(inputs, layers.GlobalAveragePooling1D(name="pool")(words(inputs)))
    assert assert_like_the_oracle(model).get_layer("words").output_dim == 4


def test_a_constant_for_all_elements_stays():
    layer = layers.Dense(6, bias_initializer=keras.initializers.Constant(0.5))
    layer.build((None, 4))
    made = resized(layer, shapes_of(layer, kernel=(4, 3), bias=(3,)))
    assert made.bias_initializer.value == 0.5


def test_layers_in_layers_keep_their_names():
    inputs = keras.Input((5, 3))
    both = layers.Bidirectional(
        layers.GRU(4, return_sequences=True, name="there"),
        backward_layer=layers.GRU(4, return_sequences=True, go_backwards=True, name="back"),
        name="both",
    )
    x = layers.TimeDistributed(layers.Dense(6, name="inside"), name="each")(both(inputs))
    model = headed(inputs, layers.GlobalAveragePooling1D(name="pool")(x))
    small = assert_like_the_oracle(model)
    new, old = small.get_layer("both"), model.get_layer("both")
    assert new.forward_layer.name == old.forward_layer.name
    assert new.backward_layer.name == old.backward_layer.name == "back"
    assert new.backward_layer.go_backwards
    assert small.get_layer("each").layer.name == "inside"


def test_attention_keeps_its_settings():
    inputs = keras.Input((5, 8))
    attention = layers.MultiHeadAttention(4, 6, value_dim=5, dropout=0.25, use_bias=False, name="attention")
    x = layers.Dense(8, name="dense")(inputs)
    small = assert_like_the_oracle(
        headed(inputs, layers.GlobalAveragePooling1D(name="pool")(attention(x, x)))
    )
    config = small.get_layer("attention").get_config()
    sizes = [config[key] for key in ("num_heads", "key_dim", "value_dim", "dropout", "use_bias")]
    assert sizes == [2, 3, 3, 0.25, False]
