"""A compact model: smaller, with the same names and weights elsewhere, on every shape of graph."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_kd as kd
from keras_kd.compression.separable.compact import compact_and_tell
from keras_kd.paths import layers_by_path
from tests.graphs.topologies import TOPOLOGIES, inputs_for, outputs_of, scrambled

WITH_CONVOLUTIONS = ["residual", "nested", "chain"]


def model():
    kinds = [layers.Conv2D(8, 3, name="stem"), layers.Conv2D(16, 3, padding="same", name="conv")]
    kinds += [layers.Conv2D(16, 1, name="mix"), layers.ReLU(name="relu")]
    ends = [layers.GlobalAveragePooling2D(name="pool"), layers.Dense(3, name="head")]
    return scrambled(keras.Sequential([keras.Input((8, 8, 3)), *kinds, *ends], name="small"))


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_every_topology(name, tmp_path):
    original = scrambled(TOPOLOGIES[name]())
    before = [np.array(value) for value in original.get_weights()]
    if name not in WITH_CONVOLUTIONS:
        with pytest.raises(ValueError, match="can be made separable"):
            kd.compact(original)
        return
    made, told = compact_and_tell(original)
    assert type(made) is type(original)
    assert made.name == original.name
    assert "keras_kd" not in str(made.get_config())
    for value, kept in zip(original.get_weights(), before, strict=True):
        np.testing.assert_array_equal(value, kept)
    saved = sum(row.parameters[0] - row.parameters[1] for row in told)
    assert saved > 0
    assert made.count_params() == original.count_params() - saved
    inputs = inputs_for(original)
    wanted = outputs_of(original, inputs)
    assert [output.shape for output in outputs_of(made, inputs)] == [output.shape for output in wanted]
    made.save(tmp_path / "made.keras")
    loaded = keras.saving.load_model(tmp_path / "made.keras")
    for a, b in zip(outputs_of(loaded, inputs), outputs_of(made, inputs), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", WITH_CONVOLUTIONS)
def test_separable_kernels_change_nothing(name):
    original = scrambled(TOPOLOGIES[name]())
    random = np.random.default_rng(0)
    for layer in layers_by_path(original).values():
        if isinstance(layer, layers.Conv2D):
            *window, inputs, outputs = layer.kernel.shape
            factors = random.normal(size=(*window, inputs, 1)), random.normal(size=(inputs, outputs))
            layer.kernel.assign(factors[0] * factors[1] * 0.1)
    made, told = compact_and_tell(original)
    assert max(row.error for row in told) < 1e-6
    inputs = inputs_for(original)
    for a, b in zip(outputs_of(made, inputs), outputs_of(original, inputs), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


def test_names_stay_and_the_last_of_two_has_that_of_the_original():
    names = [layer.name for layer in kd.compact(model()).layers]
    assert names == [
        *("stem_depthwise", "stem", "conv_depthwise", "conv", "mix", "relu", "pool", "head"),
    ]


def test_the_error_of_outputs_falls_with_the_multiplier():
    original = model()
    random = np.random.default_rng(0)
    original.get_layer("conv").kernel.assign(random.normal(size=(3, 3, 8, 16)))
    inputs = inputs_for(original)
    tapped = keras.Model(original.inputs[0], original.get_layer("conv").output)(inputs)
    errors = []
    for multiplier in (1, 2, 3, 5):
        made = kd.compact(original, layers={"conv": multiplier})
        assert made.get_layer("conv_depthwise").depth_multiplier == multiplier
        errors.append(
            np.abs(keras.Model(made.inputs[0], made.get_layer("conv").output)(inputs) - tapped).mean()
        )
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.5 * errors[0]


def test_groups_where_they_are_named():
    made, told = compact_and_tell(model(), skip=["stem"], groups={"conv": 2, "mix": 4})
    assert made.get_layer("conv").groups == 2
    assert made.get_layer("mix").groups == 4
    assert made.get_layer("mix").kernel.shape == (1, 1, 4, 16)
    assert [(row.layer, row.groups) for row in told] == [("conv", 2), ("mix", 4)]


def test_what_becomes_of_each_is_printed_if_asked_for(capsys):
    kd.compact(model(), skip="stem", verbose=True)
    first, second, total = capsys.readouterr().out.splitlines()
    before, after = model().count_params(), kd.compact(model(), skip="stem").count_params()
    assert first.startswith(f"'conv': 1,168 -> {1168 - before + after} parameters, ")
    assert total == f"the model: {before:,} -> {after:,} parameters"
    assert second == "'mix': left, because its window is a single place"


def test_a_shared_convolution_stays_shared():
    conv = layers.Conv2D(8, 3, padding="same", name="conv")
    inputs = keras.Input((8, 8, 8))
    made = kd.compact(keras.Model(inputs, conv(conv(inputs))))
    assert made.count_params() == 9 * 8 + 8 * 8 + 8


@pytest.mark.slow
def test_a_compact_model_trains():
    made = kd.compact(model(), groups={"conv": 2})
    made.compile("adam", "mse", run_eagerly=True)
    x = inputs_for(made)
    losses = [made.train_on_batch(x, np.ones((3, 3))) for _ in range(5)]
    assert losses[-1] < losses[0]


@pytest.mark.slow
def test_a_compact_model_is_exported(tmp_path):
    made = kd.compact(model(), groups={"conv": 2})
    x = inputs_for(made)
    kd.export(made, tmp_path / "made.tflite")
    assert kd.verify(made, tmp_path / "made.tflite", x).max_error < 1e-4


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"multiplier": 0}, ValueError, "multiplier must be whole numbers of 1 or more"),
        ({"layers": {"conv": 1.5}}, ValueError, "multiplier must be whole numbers"),
        ({"groups": {"conv": True}}, ValueError, "groups must be whole numbers"),
        ({"groups": {"conv": 3}}, ValueError, "groups=3 of 'conv' must divide its 8 input and 16 output"),
        ({"groups": {"conf": 2}}, ValueError, "no layer 'conf'.* Did you mean 'conv'"),
        (
            {"layers": ["stem"], "groups": {"conv": 2}},
            ValueError,
            "`groups` names 'conv', which is not among",
        ),
        ({"layers": ["conf"]}, ValueError, "no layer 'conf'.* Did you mean 'conv'"),
        ({"layers": ["head"]}, ValueError, "'head' has no convolution"),
        ({"layers": ["mix"]}, ValueError, "'mix' cannot be made separable: its window is a single place"),
        ({"multiplier": 9}, ValueError, "Nothing in 'small' can be made separable. 'stem': nothing is saved"),
        ({"skip": ["*"]}, ValueError, "or `skip` leaves none"),
        ({"layers": 3}, TypeError, "by name, path or glob"),
        (
            {"groups": ["conv"]},
            TypeError,
            "groups= is a mapping, such as {'conv3': 4}. Received: \\['conv'\\]",
        ),
    ],
)
def test_errors_of_arguments(options, error, message):
    with pytest.raises(error, match=message):
        kd.compact(model(), **options)


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        ("model.keras", TypeError, "must be a keras.Model"),
        (keras.Sequential([layers.Conv2D(4, 3)]), ValueError, "has no graph to read"),
    ],
)
def test_errors_of_models(model, error, message):
    with pytest.raises(error, match=message):
        kd.compact(model)
