"""A folded model is the original in inference, and its names mean what they did."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_kd as kd
from keras_kd.compression.batch_norm.folding import fold_and_tell
from tests.graphs.topologies import TOPOLOGIES, inputs_for, outputs_of, scrambled

WITH_NORMS = ["residual", "called_in_inference"]


def mobile():
    """Every kind of neighbor: depthwise, pointwise, a first BatchNorm, one that has to stay."""
    x = inputs = keras.Input((8, 8, 3))
    x = layers.BatchNormalization(name="norm0")(x)
    x = layers.Conv2D(4, 3, use_bias=False, name="conv0")(x)
    x = layers.BatchNormalization(name="norm1")(x)
    x = layers.ReLU(6.0, name="relu1")(x)
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name="depthwise")(x)
    x = layers.BatchNormalization(name="norm2", scale=False)(x)
    x = layers.ReLU(6.0, name="relu2")(x)
    x = layers.BatchNormalization(name="norm3")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(inputs, layers.Dense(3, name="head")(x))


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_every_topology(name, tmp_path):
    model = scrambled(TOPOLOGIES[name]())
    before = [np.array(value) for value in model.get_weights()]
    if name not in WITH_NORMS:
        with pytest.raises(ValueError, match=r"Nothing in .* can be folded"):
            kd.fold_batch_norm(model)
        return
    inputs = inputs_for(model)
    folded = kd.fold_batch_norm(model)
    assert type(folded) is type(model)
    assert folded.name == model.name
    assert "keras_kd" not in str(folded.get_config())
    assert folded.count_params() < model.count_params()
    for value, kept in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(value, kept)
    for a, b in zip(outputs_of(folded, inputs), outputs_of(model, inputs), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)
    folded.save(tmp_path / "folded.keras")
    loaded = keras.saving.load_model(tmp_path / "folded.keras")
    for a, b in zip(outputs_of(loaded, inputs), outputs_of(folded, inputs), strict=True):
        np.testing.assert_array_equal(a, b)


def test_all_that_can_be_is_folded_in_several_rounds_and_the_rest_is_told():
    model = scrambled(mobile())
    folded, told = fold_and_tell(model)
    assert [layer.name for layer in folded.layers[1:]] == [
        *("norm1", "relu1", "norm2", "relu2", "norm3", "pool", "head")
    ]
    assert {folding.layer: folding.into for folding in told} == {
        "norm0": "norm1",  # which is conv0, and took in norm1 in the second round
        "norm1": "norm1",
        "norm2": "norm2",
        "norm3": "",
    }
    assert {folding.former for folding in told if folding.into == "norm1"} == {"conv0"}
    (left,) = [folding for folding in told if not folding.into]
    assert "'relu2' (ReLU)" in left.reason
    assert "'pool' (GlobalAveragePooling2D)" in left.reason
    inputs = inputs_for(model)
    np.testing.assert_allclose(
        outputs_of(folded, inputs)[0], outputs_of(model, inputs)[0], rtol=1e-5, atol=1e-5
    )


def test_names_that_are_left_mean_the_same_values():
    model = scrambled(mobile())
    folded = kd.fold_batch_norm(model)
    inputs = inputs_for(model)
    for name in ("norm1", "norm2", "relu2", "head"):
        a, b = (keras.Model(m.input, m.get_layer(name).output)(inputs) for m in (folded, model))
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)
    with pytest.raises(ValueError, match="No such layer: conv0"):
        folded.get_layer("conv0")


def test_what_becomes_of_each_is_printed_if_asked_for(capsys):
    model = keras.Sequential(
        [
            *(keras.Input((3,)), layers.Dense(3, name="dense"), layers.BatchNormalization(name="norm")),
            *(layers.ReLU(name="relu"), layers.BatchNormalization(name="last")),
        ]
    )
    kd.fold_batch_norm(model, verbose=True)
    first, second = capsys.readouterr().out.splitlines()
    assert first == "'norm': folded into 'dense', which is named 'norm' now"
    assert second == "'last': left, because it reads 'relu' (ReLU), and it is an output of the model"


def test_a_choice_of_layers():
    model = mobile()
    names = [layer.name for layer in kd.fold_batch_norm(model, layers="norm[01]", skip="norm0").layers]
    assert "norm0" in names
    assert "conv0" not in names
    assert "depthwise" in names


def test_flags_and_policies_stay():
    conv = layers.Conv2D(4, 3, kernel_constraint="non_neg", kernel_regularizer="l2", name="conv")
    conv.trainable = False
    model = keras.Sequential([keras.Input((8, 8, 3)), conv, layers.BatchNormalization(name="norm")])
    new = kd.fold_batch_norm(model).layers[0]
    assert not new.trainable
    assert new.kernel_constraint is None
    assert isinstance(new.kernel_regularizer, keras.regularizers.L2)


def doubled(x):
    return x * 2


def test_activations_of_any_kind_stay():
    parts = [layers.Dense(4, activation=doubled, name="it"), layers.PReLU(name="slope")]
    model = scrambled(keras.Sequential([keras.Input((3,)), layers.BatchNormalization(name="norm"), *parts]))
    x = np.random.default_rng(0).normal(size=(2, 3)).astype("float32")
    np.testing.assert_allclose(kd.fold_batch_norm(model)(x), model(x), rtol=1e-5)
    inner = layers.Dense(4, activation=layers.PReLU(), name="it")
    model = keras.Sequential([keras.Input((3,)), layers.BatchNormalization(name="norm"), inner])
    model(x)
    with pytest.raises(ValueError, match="the activation of 'it' has weights"):
        kd.fold_batch_norm(model)


def test_channels_first():
    parts = [layers.Conv2D(4, 1, data_format="channels_first"), layers.BatchNormalization(axis=1, name="n")]
    model = scrambled(keras.Sequential([keras.Input((3, 5, 5)), *parts]))
    x = np.random.default_rng(0).normal(size=(2, 3, 5, 5)).astype("float32")
    folded = kd.fold_batch_norm(model)
    assert [layer.name for layer in folded.layers] == ["n"]
    np.testing.assert_allclose(folded(x), model(x), rtol=1e-5, atol=1e-5)


def test_a_folded_model_trains():
    folded = kd.fold_batch_norm(mobile())
    folded.compile("sgd", "mse", run_eagerly=True)
    x = inputs_for(folded)
    losses = [folded.train_on_batch(x, np.ones((3, 3))) for _ in range(5)]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"layers": "norm3"}, ValueError, "'norm3' cannot be folded: it reads 'relu2'"),
        ({"layers": ["norm1", "norm3"]}, ValueError, "'norm3' cannot be folded"),
        ({"layers": "norm9"}, ValueError, "no layer 'norm9'.* Did you mean 'norm"),
        ({"layers": "conv0"}, ValueError, "'conv0' has no BatchNorm"),
        ({"skip": ["*"]}, ValueError, "or `skip` leaves none"),
        ({"layers": 3}, TypeError, "by name, path or glob"),
    ],
)
def test_errors_of_names(options, error, message):
    with pytest.raises(error, match=message):
        kd.fold_batch_norm(mobile(), **options)


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        ("model.keras", TypeError, "must be a keras.Model"),
        (keras.Sequential([layers.BatchNormalization()]), ValueError, "has no graph to read"),
    ],
)
def test_errors_of_models(model, error, message):
    with pytest.raises(error, match=message):
        kd.fold_batch_norm(model)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "size", "norms", "left"),
    [
        ("MobileNetV2", 32, 52, 0),
        ("DenseNet121", 32, 121, 62),
        ("ResNet50V2", 32, 49, 17),
        ("Xception", 71, 40, 0),
        ("EfficientNetB0", 32, 49, 0),
    ],
)
def test_known_networks(name, size, norms, left):
    model = getattr(keras.applications, name)(weights=None, input_shape=(size, size, 3))
    random = np.random.default_rng(0)
    ranges = {"gamma": (0.7, 1.3), "beta": (-0.3, 0.3), "moving_mean": (-0.2, 0.2)}
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            for variable in layer.variables:
                variable.assign(random.uniform(*ranges.get(variable.name, (0.6, 1.2)), variable.shape))
    folded, told = fold_and_tell(model)
    assert (len(told), sum(bool(row.reason) for row in told)) == (norms, left)
    x = random.normal(size=(2, size, size, 3)).astype("float32")
    (expected,), (found,) = outputs_of(model, x), outputs_of(folded, x)
    assert np.abs(found - expected).max() < 1e-6 * np.abs(expected).max()
