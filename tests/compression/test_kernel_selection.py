"""Which kernels `kd.Prune` prunes, given names, paths, globs, sparsities by layer and layers to skip."""

import re

import keras
import pytest
from keras import layers

from keras_kd.compression.kernel_selection import select_kernels
from keras_kd.compression.selection import Selection


def select(model, names, skip=(), structured=False):
    return select_kernels(model, Selection(names, skip), structured)


def towers():
    """A backbone of convolutions with an attention, an embedding, and two heads."""
    images, tokens = keras.Input((6, 6, 4), name="images"), keras.Input((5,), name="tokens")
    backbone = keras.Sequential(
        [
            keras.Input((6, 6, 4)),
            layers.Conv2D(8, 2, name="conv1"),
            layers.DepthwiseConv2D(2, name="depthwise"),
            layers.SeparableConv2D(4, 2, name="separable"),
            layers.BatchNormalization(name="norm"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(4, name="neck"),
        ],
        name="backbone",
    )
    words = layers.Embedding(10, 4, name="words")(tokens)
    words = layers.MultiHeadAttention(2, 3, name="attention")(words, words)
    both = layers.concatenate([backbone(images), layers.GlobalAveragePooling1D()(words)])
    outputs = [layers.Dense(2, name="head_a")(both), layers.Dense(2, name="head_b")(both)]
    return keras.Model([images, tokens], outputs, name="towers")


@pytest.fixture(scope="module")
def model():
    return towers()


BACKBONE = [
    "backbone/conv1/kernel",
    "backbone/depthwise/kernel",
    "backbone/separable/depthwise_kernel",
    "backbone/separable/pointwise_kernel",
    "backbone/neck/kernel",
]
ATTENTION = [f"attention/{name}/kernel" for name in ("query", "key", "value", "attention_output")]
HEADS = ["head_a/kernel", "head_b/kernel"]
EVERYTHING = [*ATTENTION, *BACKBONE, *HEADS]
DENSE = [path for path in EVERYTHING if "depthwise" not in path]

SELECTED = {
    "all but embeddings": (None, (), EVERYTHING),
    "by name": (["neck", "head_b"], (), ["backbone/neck/kernel", "head_b/kernel"]),
    "by path": (["backbone/conv1"], (), ["backbone/conv1/kernel"]),
    "by container": (["backbone"], (), BACKBONE),
    "by attention": (["attention"], (), ATTENTION),
    "by part of attention": (["query", "attention/value"], (), [ATTENTION[0], ATTENTION[2]]),
    "by glob": (["head_?"], (), HEADS),
    "by glob of paths": (["backbone/*"], (), BACKBONE),
    "by everything": (["*"], (), EVERYTHING),
    "by set of letters": (["head_[b-z]"], (), HEADS[1:]),
    "embeddings by name": (["words"], (), ["words/embeddings"]),
    "embeddings among others": (["words", "head_a"], (), ["head_a/kernel", "words/embeddings"]),
    "embeddings, not by glob": (["w*", "head_a"], (), ["head_a/kernel"]),
    "skip a name": (None, ["neck"], [path for path in EVERYTHING if "neck" not in path]),
    "skip a container": (None, ["backbone"], [*ATTENTION, *HEADS]),
    "skip globs": (None, ["head*", "*conv*", "sep*", "depthwise"], [*ATTENTION, "backbone/neck/kernel"]),
    "skip some of what is named": (["backbone"], ["separable", "depthwise"], [BACKBONE[0], BACKBONE[4]]),
    "skip embeddings": (["words", "neck"], ["words"], ["backbone/neck/kernel"]),
}


@pytest.mark.parametrize("how", SELECTED)
def test_kernels_are_selected_by_name_path_and_glob(model, how):
    names, skip, expected = SELECTED[how]
    assert [kernel.path for kernel, _ in select(model, names, skip)] == expected
    assert {given for _, given in select(model, names, skip)} == {None}


STRUCTURED = {
    "all": (None, DENSE),
    "a container": (["backbone"], [path for path in BACKBONE if path in DENSE]),
    "a separable layer": (["separable"], ["backbone/separable/pointwise_kernel"]),
    "a glob": (["*sep*", "conv1"], ["backbone/conv1/kernel", "backbone/separable/pointwise_kernel"]),
}


@pytest.mark.parametrize("how", STRUCTURED)
def test_depthwise_kernels_have_no_groups_or_blocks(model, how):
    names, expected = STRUCTURED[how]
    assert [kernel.path for kernel, _ in select(model, names, structured=True)] == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"neck": 0.5}, {"backbone/neck": 0.5}),
        ({"head*": 0.5, "head_b": 0.75}, {"head_a": 0.5, "head_b": 0.75}),
        ({"head_b": 0.75, "head*": 0.5}, {"head_a": 0.5, "head_b": 0.5}),
        ({"attention": 0.5, "value": 0.25}, dict(zip(ATTENTION, [0.5, 0.5, 0.25, 0.5], strict=True))),
        ({"backbone": 0.5, "backbone/conv1": 0}, {**dict.fromkeys(BACKBONE, 0.5), BACKBONE[0]: 0}),
    ],
    ids=["one", "name last", "glob last", "part last", "zero"],
)
def test_of_the_sparsities_that_match_the_last_counts(model, given, expected):
    found = {kernel.path: value for kernel, value in select(model, given)}
    assert found == {path if "kernel" in path else f"{path}/kernel": v for path, v in expected.items()}


def test_frozen_layers_are_left_alone():
    model = towers()
    model.get_layer("backbone").trainable = False
    model.get_layer("head_b").trainable = False
    assert [kernel.path for kernel, _ in select(model, None)] == [*ATTENTION, "head_a/kernel"]
    assert [kernel.path for kernel, _ in select(model, ["head*"])] == ["head_a/kernel"]
    for name in ("backbone", "conv1", "head_b"):
        with pytest.raises(ValueError, match=f"'{name}' is frozen"):
            select(model, [name, "head_a"])
    model.trainable = False
    with pytest.raises(ValueError, match=r"nothing to prune in 'towers': .* all of them are frozen"):
        select(model, None)


REFUSED = [
    (["nec"], (), "'towers' has no layer 'nec'. Did you mean 'neck'"),
    (["backbone/conv"], (), "'backbone/conv1'"),
    (["hed_a"], (), "Did you mean 'head_a', 'head_b'"),
    (["attenton"], (), "Did you mean 'attention'"),
    (["backbone/nekc"], (), "Did you mean 'backbone/neck'"),
    (["zzz"], (), "Layers to choose from: 'attention/query', 'attention/key'"),
    (["zzz*"], (), "has no layer 'zzz*'"),
    (["Neck"], (), "has no layer 'Neck'"),
    ({"nec": 0.5}, (), "Did you mean 'neck'"),
    (None, ["nec"], "Did you mean 'neck'"),
    (["neck"], ["wrods"], "Did you mean 'words'"),
    (["norm"], (), "'norm' has no kernel that can be pruned. Leave it out."),
    (None, ["backbone/norm"], "'backbone/norm' has no kernel that can be pruned. Leave it out."),
    ([], (), "nothing to prune in 'towers': of kernels that can be pruned, it has 12, and `layers`/`skip`"),
    (["neck"], ["backbone"], "nothing to prune"),
    (None, ["*"], "nothing to prune"),
    (["w*"], (), "nothing to prune"),
]


@pytest.mark.parametrize(("names", "skip", "message"), REFUSED, ids=[f"{n}-{s}" for n, s, _ in REFUSED])
def test_other_names_are_refused(model, names, skip, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        select(model, names, skip)


@pytest.mark.parametrize("name", ["depthwise", "backbone/depthwise", "depth*"])
def test_a_depthwise_layer_alone_is_refused_for_groups_and_blocks(model, name):
    with pytest.raises(ValueError, match=r"'backbone/depthwise/kernel' is depthwise: .* or leave it out"):
        select(model, [name, "neck"], structured=True)


def test_a_model_without_kernels_has_nothing_to_prune():
    with pytest.raises(ValueError, match=r"nothing to prune in 'model': .* it has none"):
        select(keras.Sequential([keras.Input((4,)), layers.ReLU()], name="model"), None)


def test_a_kernel_is_selected_by_the_path_that_kd_sparsity_prints():
    model = keras.Sequential([keras.Input((5, 4)), keras.layers.LSTM(3, name="lstm")])
    [(kernel, sparsity)] = select(model, {"lstm/cell/recurrent_kernel": 0.5})
    assert (kernel.name, sparsity) == ("recurrent_kernel", 0.5)


def test_a_glob_to_skip_may_match_nothing():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, name="head")])
    assert len(select(model, None, ["depthwise*"])) == 1


def test_a_shared_layer_is_selected_by_its_first_name():
    shared, first, second = layers.Dense(4, name="shared"), keras.Input((4,)), keras.Input((4,))
    left = keras.Model(first, shared(first), name="left")
    right = keras.Model(second, shared(second), name="right")
    model = keras.Model([first, second], layers.add([left(first), right(second), shared(second)]))
    assert [kernel.layer for kernel, _ in select(model, ["shared"])] == ["left/shared"]
    with pytest.raises(
        ValueError, match="'right' is shared and goes by its first name: 'left/shared/kernel'"
    ):
        select(model, ["right"])


def test_layers_with_lora_and_quantized_layers_cannot_be_selected():
    model = keras.Sequential([keras.Input((4,)), *(layers.Dense(4, name=name) for name in ("lora", "int8"))])
    model.get_layer("lora").enable_lora(2)
    model.get_layer("int8").quantize("int8")
    for name in ("lora", "int8"):
        with pytest.raises(ValueError, match=f"'{name}' has no kernel that can be pruned"):
            select(model, [name])


def test_a_default_is_the_sparsity_of_layers_that_no_key_names(model):
    found = select_kernels(model, Selection({"head*": 0.5}, skip=["backbone"], default=0.9))
    assert {kernel.path: value for kernel, value in found} == {
        **dict.fromkeys(ATTENTION, 0.9),
        **dict.fromkeys(HEADS, 0.5),
    }
