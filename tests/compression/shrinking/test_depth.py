"""Models without some of their residual blocks."""

import fnmatch

import keras
import numpy as np
import pytest
from keras import layers

from keras_kd.compression.shrinking.blocks import find_blocks
from keras_kd.compression.shrinking.depth import choose_blocks, drop_blocks, influences
from keras_kd.graphs import graph_of
from keras_kd.paths import layers_by_path
from tests.compression.shrinking.residuals import RESIDUALS, on_images, v2_block
from tests.graphs.topologies import inputs_for, outputs_of, scrambled
from tests.selection import rest_slow

SECOND = "*[kr]1[_/]*"  # what is in the second block, or the second layer of a transformer


def turn_off(model, pattern="*"):
    """Set the last weights of every branch in some blocks to zero, so that the branch adds nothing."""
    layers_of = layers_by_path(model)
    off = [path for path in layers_of if path.endswith("_last") and fnmatch.fnmatch(path, pattern)]
    for path in off:
        for weight in layers_of[path].weights:
            weight.assign(np.zeros(weight.shape))
    return off


def assert_alike(model, small, inputs):
    for one, other in zip(outputs_of(small, inputs), outputs_of(model, inputs), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("kind", RESIDUALS)
def test_without_a_block_as_with_its_branch_at_zero(kind):
    model = scrambled(RESIDUALS[kind]())
    inputs, before = inputs_for(model), [np.asarray(weight) for weight in model.weights]
    small = drop_blocks(model, 0, drop="even", layers=SECOND)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.weights, strict=True))
    changed = max(
        np.abs(a - b).max() for a, b in zip(outputs_of(small, inputs), outputs_of(model, inputs), strict=True)
    )
    assert changed > 1e-3
    gone = turn_off(model, SECOND)
    assert gone
    assert not set(gone) & set(layers_by_path(small))
    assert_alike(model, small, inputs)


@pytest.mark.parametrize("kind", rest_slow(list(RESIDUALS), "v1"))
def test_without_any_block(kind):
    model = scrambled(RESIDUALS[kind]())
    small = drop_blocks(model, 0, drop="even")
    assert not [path for path in layers_by_path(small) if path.endswith("_last")]
    turn_off(model)
    assert_alike(model, small, inputs_for(model))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "suffix", "blocks"), [("ResNet50", "_3_bn", 12), ("MobileNetV2", "_project_BN", 10)]
)
def test_of_keras_applications(name, suffix, blocks):
    make = getattr(keras.applications, name)
    model = make(weights=None, input_shape=(64, 64, 3), classifier_activation=None)
    small = drop_blocks(model, 0.5, drop="even")
    dropped = choose_blocks(model, 0.5, drop="even")
    assert len(find_blocks(graph_of(model))) == blocks == 2 * len(dropped)
    inputs = inputs_for(model)
    (found,), (before,) = outputs_of(small, inputs), outputs_of(model, inputs)
    ends = [path for block in dropped for path in block.layers if path.endswith(suffix)]
    assert len(ends) == len(dropped)
    for path in ends:
        for weight in (model.get_layer(path).gamma, model.get_layer(path).beta):
            weight.assign(np.zeros(weight.shape))
    (expected,) = outputs_of(model, inputs)
    size = np.abs(expected).max()
    assert np.abs(before - expected).max() > 1e-2 * size
    assert np.abs(found - expected).max() < 1e-5 * size


def test_what_stays_keeps_its_name_and_weights():
    model = scrambled(RESIDUALS["v1"]())
    small = drop_blocks(model, 2 / 3, drop="even")
    gone = {layer.name for layer in model.layers} - {layer.name for layer in small.layers}
    assert gone == {f"block1_{part}" for part in ("conv1", "bn1", "relu", "conv2", "last", "add")}
    for layer in small.layers:
        for one, other in zip(layer.weights, model.get_layer(layer.name).weights, strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_nested_model_that_was_one_block_keeps_its_place():
    model = RESIDUALS["nested"]()
    small = drop_blocks(model, 0, drop="even", layers="block1")
    assert [layer.name for layer in small.layers] == [layer.name for layer in model.layers]
    assert [layer.name for layer in small.get_layer("block1").layers][1:] == ["inner_add"]


def stack(count):
    x = inputs = keras.Input((4,))
    for i in range(count):
        x = layers.Add(name=f"add{i}")([x, layers.Dense(4, name=f"dense{i}")(x)])
    return keras.Model(inputs, layers.Dense(2, name="head")(x), name="stack")


def kept(model, *args, **kwargs):
    gone = {block.path for block in choose_blocks(model, *args, **kwargs)}
    return [i for i, block in enumerate(find_blocks(graph_of(model))) if block.path not in gone]


@pytest.mark.parametrize(
    ("depth", "expected"),
    [
        (6, [0, 2, 4, 7, 9, 11]),  # DistilBERT's
        (0.5, [0, 2, 4, 7, 9, 11]),
        (2, [0, 11]),
        (1, [0]),
        (0, []),
        (0.01, [0]),
        (1.0, list(range(12))),
        (np.int64(3), [0, 6, 11]),
        (0.125, [0, 11]),
    ],
)
def test_how_many_stay_and_which_at_even_distances(depth, expected):
    assert kept(stack(12), depth, drop="even") == expected


@pytest.mark.parametrize(("depth", "expected"), [(0, []), (1.0, [0, 1, 2]), (3, [0, 1, 2])])
def test_no_data_is_needed_where_there_is_no_choice(depth, expected):
    assert kept(stack(3), depth) == expected


def test_all_blocks_kept_is_the_original():
    model = RESIDUALS["pre_norm"]()
    inputs = inputs_for(model)
    for one, other in zip(
        outputs_of(drop_blocks(model, 1.0, drop="even"), inputs), outputs_of(model, inputs), strict=True
    ):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("kind", rest_slow(list(RESIDUALS), "post_norm"))
def test_the_influence_of_a_block_is_what_the_outputs_change_by_without_it(kind):
    """As models say that lack it; without padding, whose mask Keras's attention takes off what it reads."""
    model = scrambled(RESIDUALS[kind]())
    inputs, blocks = inputs_for(model, batch=7), find_blocks(graph_of(model))
    inputs = inputs if isinstance(inputs, list) or inputs.dtype == "float32" else np.maximum(inputs, 1)
    before = outputs_of(model, inputs)[0].reshape(7, -1)
    expected = []
    for i in range(len(blocks)):
        others = [b.layers[0] for j, b in enumerate(blocks) if j != i]
        after = outputs_of(drop_blocks(model, 0, drop="even", skip=others), inputs)[0].reshape(7, -1)
        sizes = np.linalg.norm(before, axis=1)
        expected.append(np.mean(np.linalg.norm(after - before, axis=1) / sizes))
    data = [inputs] if not isinstance(inputs, list) else iter([inputs])
    np.testing.assert_allclose(influences(model, blocks, data), expected, rtol=1e-3)


def test_what_a_normalization_takes_away_again_has_no_influence():
    """The first branch multiplies the sum by 4, of which nothing is left; the second turns it a little."""
    x = inputs = keras.Input((4,))
    for i in range(2):
        branch = layers.Dense(4, use_bias=False, name=f"dense{i}")
        x = layers.LayerNormalization(name=f"norm{i}")(layers.Add(name=f"add{i}")([x, branch(x)]))
    model = keras.Model(inputs, layers.Dense(2, name="head")(x))
    turn = np.random.default_rng(0).normal(size=(4, 4)) * 0.2
    for name, kernel in (("dense0", 3 * np.eye(4)), ("dense1", turn)):
        model.get_layer(name).kernel.assign(kernel)
    assert kept(model, 1, data=inputs_for(model, batch=20)) == [1]


def test_a_part_of_much_data_is_enough():
    model = stack(3)
    x = np.random.default_rng(0).normal(size=(5000, 4)).astype("float32")
    seen = []

    def batches():
        for i in range(0, 5000, 500):
            seen.append(i)
            yield x[i : i + 500]

    influences(model, find_blocks(graph_of(model)), batches())
    assert seen == [0, 500, 1000]


@pytest.mark.parametrize("kind", rest_slow(["v2", "post_norm"], "v2"))
def test_the_blocks_that_add_least_go_first(kind):
    model = RESIDUALS[kind]()
    for path, layer in layers_by_path(model).items():
        scale = next((s for i, s in enumerate((0.5, 0.01, 0.1)) if str(i) in path), 1.0)
        for weight in layer.weights if path.endswith("_last") else ():
            weight.assign(np.asarray(weight) * scale)
    data = inputs_for(model)
    assert kept(model, 2, data=data) == [0, 2]
    assert kept(model, 1, data=(data, np.zeros(3)), skip="*1_*") == [0, 1]


def test_layers_and_skip_choose_blocks():
    model = RESIDUALS["pre_norm"]()
    assert kept(model, 0, drop="even", layers="layer0_attention_last") == [1, 2]
    assert kept(model, 0, drop="even", layers=["layer0_*", "layer2_mlp_up"]) == [1]
    assert kept(model, 0, drop="even", skip="layer0_mlp_add") == [0]
    assert kept(model, 0, drop="even", skip=["head", "layer1_mlp_up", "no_such*"]) == [1]
    assert kept(RESIDUALS["nested"](), 0, drop="even", layers="block1") == [0, 2]


DATA = np.zeros((2, 4), "float32")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"depth": 0.0}, r"fraction of blocks to keep, in \(0, 1\], or how many.* Received: 0.0"),
        ({"depth": -1}, "Received: -1"),
        ({"depth": 2.0}, "To keep 2 blocks, give 2"),
        ({"depth": 1.5}, "Received: 1.5"),
        ({"depth": float("nan")}, "Received: nan"),
        ({"depth": float("inf")}, "Received: inf"),
        ({"depth": True}, "Received: True"),
        ({"depth": "half"}, "Received: 'half'"),
        ({"depth": 4}, "at most 3, the blocks of 'stack' that can be dropped. Received: 4"),
        ({"depth": 3, "skip": "add1"}, "at most 2"),
        ({"drop": "evenly"}, "drop= must be 'importance' or 'even'. Received: 'evenly'. Did you mean 'even'"),
        ({"drop": "importance"}, "measured on data: give data=, or drop='even'"),
        ({"drop": "importance", "data": np.zeros((2, 5))}, "does not fit 'stack'"),
        ({"drop": "importance", "data": DATA + np.nan}, "On this data 'stack' computes NaN"),
        ({"layers": "dens1"}, "'stack' has no layer 'dens1'. Did you mean 'dense1'"),
        ({"layers": "head"}, "'head' has no block that can be dropped. Leave it out"),
        ({"skip": "hed"}, "'stack' has no layer 'hed'. Did you mean 'head'"),
        ({"layers": "dense1", "skip": "add1"}, "leave no block of 'stack'"),
    ],
)
def test_what_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        drop_blocks(stack(3), **{"depth": 0.5, "drop": "even", **arguments})


def test_models_without_blocks():
    inputs = keras.Input((4,))
    plain = keras.Model(inputs, layers.Dense(4, name="dense")(inputs), name="plain")
    with pytest.raises(ValueError, match="'plain' has no block that can be dropped: it adds no tensors"):
        drop_blocks(plain, 0.5, drop="even")
    ends = keras.Model(inputs, layers.Add(name="add")([inputs, plain(inputs)]), name="ends")
    with pytest.raises(ValueError, match=r"'ends' has no block .*: 'add' is an output of the model"):
        drop_blocks(ends, 0.5, drop="even")
    with pytest.raises(ValueError, match="has no graph to read"):
        drop_blocks(keras.Sequential([layers.Dense(2)]), 0.5, drop="even")
    with pytest.raises(TypeError, match=r"must be a keras\.Model"):
        drop_blocks(layers.Dense(2), 0.5, drop="even")


@pytest.mark.parametrize("kind", rest_slow(list(RESIDUALS), "nested"))
def test_the_result_saves_loads_and_trains(kind, tmp_path):
    small = drop_blocks(RESIDUALS[kind](), 1, drop="even")
    small.save(tmp_path / "small.keras")
    loaded = keras.models.load_model(tmp_path / "small.keras")
    inputs = inputs_for(small)
    assert_alike(small, loaded, inputs)
    loaded.compile("sgd", "mse", run_eagerly=kind != "nested")  # tracing takes most of the time
    loaded.fit(inputs, np.zeros_like(outputs_of(loaded, inputs)[0]), verbose=0)


def test_block_of_mixed_precision():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = on_images(v2_block)
    finally:
        keras.config.set_dtype_policy("float32")
    small = drop_blocks(model, 1, data=inputs_for(model))
    assert len(find_blocks(graph_of(small))) == 1
    assert small.compute_dtype == "float16"
