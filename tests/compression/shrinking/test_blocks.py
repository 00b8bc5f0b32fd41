"""Which additions are residual blocks, and which are not."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_kd.compression.shrinking.blocks import find_blocks, why_not_dropped
from keras_kd.graphs import graph_of, opened
from tests.compression.shrinking.residuals import IMAGE, RESIDUALS, conv, on_images, v2_block
from tests.graphs.topologies import TOPOLOGIES


def names(model):
    return [block.path for block in find_blocks(graph_of(model))]


@pytest.mark.parametrize(
    ("kind", "last", "additions"),
    [
        ("v1", "block2_add", 1),
        ("v2", "block2_add", 1),
        ("inverted", "block2_add", 1),
        ("convnext", "add_2", 1),
        ("nested", "block2/inner_add", 1),
        ("pre_norm", "layer2_mlp_add", 2),
        ("post_norm", "layer2_mlp_add", 2),
        ("written_attention", "layer2_mlp_add", 2),
        ("scaled", "block2_add", 1),
    ],
)
def test_every_block_is_found_once(kind, last, additions):
    blocks = find_blocks(graph_of(RESIDUALS[kind]()))
    assert [len(block.residuals) for block in blocks] == [additions] * 3
    assert blocks[-1].path == last


def test_a_layer_of_a_decoder_has_three_additions():
    blocks = find_blocks(graph_of(RESIDUALS["decoder"]()))
    assert [[one.addition.path for one in block.residuals] for block in blocks] == [
        [f"layer{i}_{part}_add" for part in ("self", "cross", "mlp")] for i in range(2)
    ]


@pytest.mark.parametrize("make", TOPOLOGIES.values(), ids=TOPOLOGIES)
def test_every_topology(make):
    assert names(make()) == (["add"] if make.__name__ in ("residual", "masked") else [])


def test_what_a_block_consists_of():
    graph = graph_of(RESIDUALS["v1"]())
    block = find_blocks(graph)[1]
    parts = ("conv1", "bn1", "relu", "conv2", "last", "add")
    assert block.layers == tuple(f"block1_{part}" for part in parts)
    (residual,) = block.residuals
    assert opened(graph).maker(residual.shortcut).path == "block0"
    assert opened(graph).maker(residual.result).path == "block1_add"


def model_of(make, shape=(4,)):
    """A model in which `make` adds to a hidden tensor."""
    inputs = keras.Input(shape)
    x = layers.Dense(4, name="stem")(inputs)
    return keras.Model(inputs, layers.Dense(2, name="head")(make(x)))


def dense(x, units=4, name=None):
    return layers.Dense(units, name=name)(x)


def add(*tensors):
    return layers.Add(name="add")(tensors)


def read_elsewhere(x):
    y = dense(x)
    return layers.Concatenate()([add(x, y), y])


def added_besides(x):
    y = dense(x)
    return layers.Concatenate()([add(x, dense(x), y), y])


def called_twice(x):
    shared = layers.Add(name="add")
    x = shared([x, dense(x)])
    return shared([x, dense(x)])


def gelu(x):
    return 0.5 * x * (1 + ops.tanh(0.8 * (x + 0.04 * x**3)))


BRANCH = "does not add a tensor and a branch with weights"
NOT_BLOCKS = {
    "projected": (lambda x: add(dense(x), dense(x)), BRANCH),
    "twice itself": (lambda x: add(x, x), BRANCH),
    "read elsewhere": (read_elsewhere, BRANCH),
    "added besides": (added_besides, BRANCH),
    "without weights": (gelu, BRANCH),
    "shared": (called_twice, "is called several times"),
    "wider": (lambda x: add(x[:, :1], dense(x[:, :1])), BRANCH),
    "broadcast": (lambda x: (one := dense(x, 1)) + dense(one), "changes the shape"),
    "cast": (lambda x: ops.cast(x, "float16") + dense(x), BRANCH),
}


@pytest.mark.parametrize(("make", "why"), NOT_BLOCKS.values(), ids=NOT_BLOCKS)
def test_what_is_no_block(make, why):
    model = model_of(make)
    assert names(model) == []
    reasons = why_not_dropped(graph_of(model))
    assert len(reasons) > 0
    assert all(reason.startswith(why) for reason in reasons.values())


@pytest.mark.parametrize(
    "make",
    [
        lambda x: add(dense(x), x),
        lambda x: add(x, dense(x), dense(ops.tanh(x))),
        lambda x: add(x, layers.Concatenate()([dense(x, 1), dense(x, 3)])),
        lambda x: add(x, dense(x) * ops.sigmoid(ops.mean(x, -1, keepdims=True))),
        lambda x: add(x, dense(layers.Concatenate()([x, ops.ones_like(x)]))),
    ],
)
def test_other_forms_of_one_block(make):
    assert names(model_of(make)) == ["add"]


def test_a_constant_is_no_branch():
    model = model_of(lambda x: x + np.ones(4, "float32"))
    assert names(model) == []
    assert why_not_dropped(graph_of(model)) == {}


def test_the_outputs_of_a_model_keep_their_layers():
    inputs = keras.Input((4,))
    first = layers.Add(name="first")([inputs, dense(inputs)])
    second = layers.Add(name="second")([first, dense(first)])
    model = keras.Model(inputs, second)
    assert names(model) == ["first"]
    assert why_not_dropped(graph_of(model)) == {"second": "is an output of the model"}


@pytest.mark.parametrize("nested", [False, True])
def test_what_is_inside_a_branch_can_be_an_output(nested):
    entry = keras.Input((4,))
    branch = dense(entry)
    model = keras.Model(entry, [dense(add(entry, branch)), branch], name="inner")
    if nested:
        outer = keras.Input((4,))
        model = keras.Model(outer, model(outer)[0])
    assert names(model) == []


def test_a_mask_that_an_addition_ends():
    inputs = keras.Input((5,), dtype="int32")
    x = layers.Embedding(7, 4, mask_zero=True)(inputs)
    x = layers.GlobalAveragePooling1D()(x + dense(x))
    (reason,) = why_not_dropped(graph_of(keras.Model(inputs, dense(x)))).values()
    assert reason == "does not pass the padding mask on"


@pytest.mark.parametrize(("readers", "found"), [(1, []), (2, ["add0", "add1"])])
def test_an_encoder_is_no_part_of_the_only_layer_that_reads_it(readers, found):
    x, source = inputs = [keras.Input((4,)), keras.Input((3,))]
    memory = dense(source)
    for i in range(readers):
        x = layers.Add(name=f"add{i}")([x, dense(layers.Concatenate()([x, memory]))])
    assert names(keras.Model(inputs, dense(x))) == found


def test_of_blocks_inside_a_block_the_inner_ones():
    def body(x):
        return v2_block(v2_block(x, "first"), "second")

    def around(x, name):
        return layers.Add(name="long")([x, conv(body(x), 4, 3, "last")])

    assert names(on_images(around, count=1)) == ["first_add", "second_add"]
    entry = keras.Input((6, 6, 4))
    nested = keras.Model(entry, body(entry), name="body")
    model = on_images(lambda x, name: layers.Add(name="long")([x, nested(x)]), count=1)
    assert names(model) == ["body/first_add", "body/second_add"]


def test_blocks_in_a_model_that_is_called_twice_stay():
    entry = keras.Input((4,))
    tower = keras.Model(entry, layers.Dense(3)(add(entry, dense(entry))), name="tower")
    inputs = [keras.Input((4,)), keras.Input((4,))]
    model = keras.Model(inputs, layers.Dot(1)([tower(x) for x in inputs]))
    assert names(model) == []
    assert why_not_dropped(graph_of(model)) == {"tower/add": "is called several times"}


def test_two_towers_each_have_their_transformer_layers():
    def tower(name):
        x = inputs = keras.Input((5, 4))
        y = layers.MultiHeadAttention(2, 2, name=f"{name}_attention")(x, x)
        x = layers.Add(name=f"{name}_first")([x, y])
        x = layers.Add(name=f"{name}_second")([x, dense(x)])
        return inputs, x

    (left, x), (right, y) = tower("left"), tower("right")
    model = keras.Model([left, right], layers.Dot(2)([x, y]))
    assert sorted(names(model)) == ["left_second", "right_second"]


@pytest.mark.parametrize("branch", ["convolution", "attention"])
def test_attention_is_alone_if_no_feed_forward_follows(branch):
    x = inputs = keras.Input((*IMAGE[:2], 4))
    for i in range(2):
        y = (
            layers.MultiHeadAttention(2, 2)(x, x)
            if i == 0 or branch == "attention"
            else conv(x, 4, 3, "conv")
        )
        x = layers.Add(name=f"add{i}")([x, y])
    assert names(keras.Model(inputs, dense(x))) == ["add0", "add1"]
