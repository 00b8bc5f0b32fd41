import keras
import numpy as np
import pytest
from keras import layers

import keras_kd as kd
from keras_kd.signals.pairing.stages import stages_of
from tests.signals.pairing.networks import Net, mlp, resnet, transformer


def taps(pairs):
    return [(pair.student, pair.teacher) for pair in pairs]


@pytest.mark.slow
@pytest.mark.parametrize(("deep", "shallow"), [(3, 1), (1, 4)])
def test_residual_nets_of_two_depths_pair_stage_by_stage(deep, shallow):
    for n in (1, 2, 3):
        pairs = kd.pair_taps(resnet(deep, 8), resnet(shallow), n)
        ends = [(f"s{s}b{shallow}_out", f"s{s}b{deep}_out") for s in (1, 2, 3)]
        assert taps(pairs) == ends[-n:]
        assert pairs[-1].student_shape == (None, 4, 4, 16)
        assert pairs[-1].teacher_shape == (None, 4, 4, 32)
        assert "ends of stages at 1/4 of the input" in pairs[-1].why


@pytest.mark.slow
def test_more_pairs_than_stages_come_from_inside_of_the_stages():
    pairs = kd.pair_taps(resnet(4), resnet(2), 5, verbose=False)
    assert taps(pairs) == [
        ("s1b2_out", "s1b4_out"),
        ("s2b1_out", "s2b2_out"),
        ("s2b2_out", "s2b4_out"),
        ("s3b1_out", "s3b2_out"),
        ("s3b2_out", "s3b4_out"),
    ]
    assert [pair.why.split(" at ")[0] for pair in pairs[1:3]] == ["within stages", "ends of stages"]


def test_blocks_without_an_activation_end_in_their_addition_and_the_net_in_its_last_activation():
    pairs = kd.pair_taps(resnet(2, preactivated=True), resnet(1, preactivated=True))
    assert taps(pairs) == [("s1b1_add", "s1b2_add"), ("s2b1_add", "s2b2_add"), ("top_relu", "top_relu")]


def test_stages_are_matched_by_resolution_before_depth():
    student = resnet(1, stem_stride=2)  # at 1/2, 1/4 and 1/8 of the input
    pairs = kd.pair_taps(resnet(2), student)
    assert taps(pairs) == [("s1b1_out", "s2b2_out"), ("s2b1_out", "s3b2_out")]
    # the same shares of another input
    assert taps(kd.pair_taps(resnet(2), resnet(1, size=28)))[-1] == ("s3b1_out", "s3b2_out")


@pytest.mark.slow
def test_the_printed_table_and_lines(capsys):
    pairs = kd.pair_taps(resnet(2), resnet(1, stem_stride=2))
    assert capsys.readouterr().out == (
        "student             teacher              why\n"
        f"s1b1_out (8x8x4)    s2b2_out (8x8x8)     {pairs[0].why}\n"
        f"s2b1_out (4x4x8)    s3b2_out (4x4x16)    {pairs[1].why}\n"
        "\n"
        "2 instead of 3, because no more match: the teacher has maps at 1/1, 1/2, 1/4 of its input, "
        "the student has maps at 1/2, 1/4, 1/8 of its input.\n"
        "\n"
        'kd.Objective("mse", student="s1b1_out", teacher="s2b2_out", project=True)\n'
        'kd.Objective("mse", student="s2b1_out", teacher="s3b2_out", project=True)\n'
    )
    kd.pair_taps(resnet(1), resnet(1), verbose=False)
    assert capsys.readouterr().out == ""


@pytest.mark.slow
def test_the_proposed_objectives_can_be_trained():
    teacher, student = resnet(1, 8, size=8), resnet(1, size=8)
    pairs = kd.pair_taps(teacher, student)
    objectives = [eval(pair.objective, {"kd": kd}) for pair in pairs]
    distiller = kd.Distiller(student, teacher, objectives)
    hard = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    distiller.compile("adam", loss=hard, run_eagerly=True)  # one step: compiling takes longer
    distiller.fit(np.random.default_rng(0).random((8, 8, 8, 3), "float32"), np.arange(8), verbose=0)
    assert "project=True" not in kd.pair_taps(teacher, resnet(1, 8, size=8))[0].objective


@pytest.mark.slow
def test_hidden_layers_of_an_mlp_pair_by_depth():
    pairs = kd.pair_taps(mlp((32,) * 6), mlp((8,) * 3))
    assert taps(pairs) == [("dense1", "dense2"), ("dense2", "dense4"), ("dense3", "dense6")]
    pairs = kd.pair_taps(mlp((32,) * 4, norm=True), mlp((8,) * 2), 3)
    assert taps(pairs) == [("dense1", "relu2"), ("dense2", "relu4")]
    assert pairs[0].why == "vectors, depths 29 % and 42 %"


@pytest.mark.parametrize("postnorm", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_blocks_of_transformers_pair_by_depth(postnorm):
    pairs = kd.pair_taps(transformer(4, 16, postnorm=postnorm), transformer(2, postnorm=postnorm), 2)
    ends = "out" if postnorm else "block"
    assert taps(pairs) == [(f"{ends}1", f"{ends}2"), (f"{ends}2", f"{ends}4")]
    assert pairs[0].why.startswith("6 tokens, depths ")


@pytest.mark.slow
def test_tokens_pair_with_as_many_tokens_only():
    with pytest.raises(
        ValueError, match=r"the teacher has sequences of length 7.*student has sequences of length 6"
    ):
        kd.pair_taps(transformer(2, tokens=7), transformer(2))


def test_sequences_that_shrink_have_stages():
    def net(width, name):
        inputs = keras.Input((32, 3))
        x = inputs
        for number in (1, 2, 3):
            x = layers.Conv1D(width, 3, strides=2, padding="same", activation="relu", name=f"conv{number}")(x)
        return keras.Model(inputs, layers.Dense(2)(layers.GlobalMaxPooling1D()(x)), name=name)

    pairs = kd.pair_taps(net(8, "teacher"), net(4, "student"), 2)
    assert taps(pairs) == [("conv2", "conv2"), ("conv3", "conv3")]
    assert pairs[0].why.startswith("8 tokens")


@pytest.mark.slow
def test_users_blocks_are_tapped_whole_and_inside_of_groups():
    def net(blocks):
        model = Net(blocks, name="net")
        inputs = keras.Input((8, 8, 3))
        return keras.Model(inputs, model(inputs))

    pairs = kd.pair_taps(net(2), net(1), 2)
    assert taps(pairs) == [
        ("net/stage1", "net/stage1/blocks/1"),
        ("net/stage2", "net/stage2/blocks/1"),
    ]  # with one block the stage is the block


def test_a_nested_backbone_is_looked_into():
    body = resnet(1)
    backbone = keras.Model(body.inputs[0], body.get_layer("s3b1_out").output, name="backbone")
    teacher = keras.Sequential(
        [keras.Input((16, 16, 3)), backbone, layers.GlobalMaxPooling2D(), layers.Dense(10)]
    )
    pairs = kd.pair_taps(teacher, resnet(1))
    assert taps(pairs) == [(f"s{s}b1_out", f"backbone/s{s}b1_out") for s in (1, 2, 3)]


@pytest.mark.slow
def test_a_subclassed_model_has_to_be_wrapped():
    model = Net(1, name="net")
    model(np.zeros((1, 8, 8, 3), "float32"))
    with pytest.raises(ValueError, match=r"'net' are not known.*keras\.Model\(inputs, model\(inputs\)\)"):
        kd.pair_taps(resnet(1), model)
    with pytest.raises(ValueError, match="not known"):
        kd.pair_taps(keras.Sequential([layers.Dense(3)]), resnet(1))


def test_what_is_inside_of_a_block_that_halves_is_no_stage():
    """As in Xception: a branch computes on the old size, beside a strided shortcut, and pools at its end."""
    inputs = keras.Input((16, 16, 3))
    x = layers.Conv2D(4, 3, padding="same", activation="relu", name="stem")(inputs)
    for number in (1, 2):
        shortcut = layers.Conv2D(4, 1, strides=2, name=f"shortcut{number}")(x)
        x = layers.BatchNormalization(name=f"inside{number}")(layers.Conv2D(4, 3, padding="same")(x))
        x = layers.MaxPooling2D(padding="same")(x)
        x = layers.Add(name=f"block{number}")([x, shortcut])
    model = keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))
    pairs = kd.pair_taps(model, model, 5)
    assert taps(pairs) == [(tap, tap) for tap in ("stem", "block1", "block2")]
    assert all(pair.why.startswith("ends of stages at 1/") for pair in pairs)


def test_the_start_of_a_stage_is_not_called_its_end():
    """As in ConvNeXt: blocks end in an addition that is no layer, so that nothing but the start has a tap."""
    x = inputs = keras.Input((16, 16, 3))
    for number in (1, 2):
        halve = [layers.LayerNormalization(), layers.Conv2D(4, 2, strides=2)]
        x = keras.Sequential(halve, name=f"start{number}")(x)
        x = x + layers.Conv2D(4, 3, padding="same")(x)
    model = keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))
    pairs = kd.pair_taps(model, model)
    assert [pair.student for pair in pairs] == ["start1", "start2"]
    assert [pair.why.split(", ")[0] for pair in pairs] == [
        "maps at 1/2 of the input",
        "maps at 1/4 of the input",
    ]
    # one of the two that is not known to end is enough
    assert kd.pair_taps(model, resnet(1))[-1].why.startswith("maps at 1/4")


@pytest.mark.parametrize(
    ("halve", "said"),
    [
        (lambda: layers.MaxPooling2D(), "ends of stages"),
        (lambda: layers.Conv2D(4, 3, strides=2, padding="same"), "maps"),  # perhaps the middle of a block
    ],
)
def test_a_plain_stage_is_known_to_end_at_a_pooling_and_at_the_head(halve, said):
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, padding="same", activation="relu", name="first")(inputs)
    x = layers.Conv2D(4, 3, padding="same", activation="relu", name="second")(halve()(x))
    model = keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))
    pairs = kd.pair_taps(model, model)
    assert taps(pairs) == [("first", "first"), ("second", "second")]
    assert [pair.why.split(" at ")[0] for pair in pairs] == [said, "ends of stages"]


def test_a_block_without_a_shortcut_after_the_last_addition_leaves_it_inside():
    x = inputs = keras.Input((8, 8, 4))
    x = layers.Add(name="added")([x, layers.Conv2D(4, 3, padding="same")(x)])
    for number in (1, 2):
        x = layers.Conv2D(4, 3, padding="same", activation="relu", name=f"plain{number}")(x)
    x = layers.Conv2D(4, 3, strides=2, padding="same", activation="relu", name="half")(x)
    model = keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))
    pairs = kd.pair_taps(model, model)
    assert [pair.why.split(" at ")[0] for pair in pairs] == ["maps", "ends of stages"]


REAL = {  # what is called the end of a stage, of up to five pairs, and what is not
    "MobileNetV2": (["block_2_add", "block_5_add", "block_12_add", "out_relu"], ["block_1_expand_relu"]),
    "Xception": (["block1_conv2_act", "add", "add_1", "add_10", "block14_sepconv2_act"], []),
    "ConvNeXtTiny": (
        [],
        ["convnext_tiny_stem", *(f"convnext_tiny_downsampling_block_{i}" for i in range(3))],
    ),
    "VGG16": ([f"block{i}_conv{2 if i == 2 else 3}" for i in (2, 3, 4, 5)], ["block5_pool"]),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", REAL)
def test_real_architectures_against_themselves(name):
    keras.utils.clear_session()  # Xception's additions are numbered
    model = getattr(keras.applications, name)(weights=None, input_shape=(96, 96, 3), classes=10)
    pairs = kd.pair_taps(model, model, 5)
    assert all(pair.student == pair.teacher for pair in pairs)
    ends = [pair.student for pair in pairs if pair.why.startswith("ends of stages")]
    assert (ends, [pair.student for pair in pairs if pair.student not in ends]) == REAL[name]
    assert all(pair.why.startswith("maps at") for pair in pairs if pair.student not in ends)


def test_outputs_are_never_proposed():
    def segmenter(name):
        inputs = keras.Input((8, 8, 3))
        x = layers.Conv2D(4, 3, padding="same", activation="relu", name="features")(inputs)
        aux = layers.Conv2D(2, 1, activation="softmax", name="aux")(x)
        x = layers.Conv2D(2, 1, name="logits")(x)
        return keras.Model(inputs, [layers.Softmax(name="classes")(x), aux], name=name)

    assert taps(kd.pair_taps(segmenter("a"), segmenter("b"), 5)) == [("features", "features")]


def test_sizes_that_shrink_without_strides_are_one_stage():
    def valid(name):
        inputs = keras.Input((28, 28, 1))
        x = layers.Conv2D(4, 5, activation="relu", name="conv1")(inputs)
        x = layers.Conv2D(4, 5, activation="relu", name="conv2")(x)
        x = layers.MaxPooling2D(name="half")(x)
        x = layers.Conv2D(8, 3, activation="relu", name="conv3")(x)
        return keras.Model(inputs, layers.Dense(10)(layers.Flatten()(x)), name=name)

    same = resnet(1, size=28)
    assert [stage.key for stage in stages_of(valid("valid"))["maps"]] == [0, 1]
    assert taps(kd.pair_taps(same, valid("valid"))) == [("conv2", "s1b1_out"), ("conv3", "s2b1_out")]


@pytest.mark.slow
def test_unknown_sizes_pair_by_depth(capsys):
    def net(depth):
        x = inputs = keras.Input((None, None, 3))
        for number in range(1, depth + 1):
            x = layers.Conv2D(4, 3, activation="relu", name=f"conv{number}")(x)
        return keras.Model(inputs, layers.Dense(2)(layers.GlobalMaxPooling2D(name="pool")(x)))

    pairs = kd.pair_taps(net(4), net(2), 2)
    assert taps(pairs) == [("conv1", "conv2"), ("conv2", "conv4")]
    assert "an unknown fraction" in pairs[0].why
    assert taps(kd.pair_taps(net(4), resnet(2))) == [("pool", "pool")]  # their maps do not match
    out = capsys.readouterr().out
    assert (
        "the teacher has maps at an unknown fraction of its input and vectors after 1 block, the student"
        in out
    )


def test_a_layer_that_runs_twice_is_named_by_its_call():
    inputs = keras.Input((8,))
    shared = layers.Dense(8, "relu", name="shared")
    model = keras.Model(inputs, layers.Dense(2)(shared(shared(inputs))))
    assert taps(kd.pair_taps(model, model, 2)) == [("shared:0", "shared:0"), ("shared:1", "shared:1")]


def test_maps_do_not_pair_with_vectors():
    student = keras.Sequential([keras.Input((16, 16, 3)), layers.Flatten(), layers.Dense(2)], name="mlp")
    with pytest.raises(ValueError, match=r"'resnet' and the student 'mlp' match.*maps at 1/1, 1/2, 1/4"):
        kd.pair_taps(resnet(1), student)
    # where both have vectors, those
    pairs = kd.pair_taps(resnet(1), mlp((8, 8)))
    assert taps(pairs) == [("dense2", "pool")]


@pytest.mark.parametrize("n", [0, -1, 2.0, True])
def test_n_must_be_a_positive_integer(n):
    with pytest.raises(ValueError, match="`n` must be an integer of at least 1"):
        kd.pair_taps(resnet(1), resnet(1), n)
    with pytest.raises(TypeError, match=r"teacher must be a keras\.Model"):
        kd.pair_taps("resnet", resnet(1))
