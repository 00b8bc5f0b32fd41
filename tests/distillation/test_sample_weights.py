"""Sample weights of the data reach the objectives."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_kd as kd
from keras_kd.distillation.known_signals import Signals
from keras_kd.distillation.sample_weights import check_position_weights, weights_for
from keras_kd.signals.tracing import SignalSpec
from tests.distillation.conftest import cross_entropy, mlp, one_step, perceptron, predictions
from tests.oracles.row import softmax


@pytest.mark.slow
def test_class_weight_weighs_the_objectives_too(batch):
    x, y = batch
    distiller = kd.Distiller(mlp(8, "s"), mlp(16, "t"))
    distiller.compile("sgd", loss=cross_entropy(), run_eagerly=True)
    logs = distiller.fit(x, y, class_weight=dict.fromkeys(range(10), 0.0), verbose=0).history
    assert logs["loss"] == [0.0]


def test_a_term_may_ignore_sample_weights(batch):
    x, y = batch
    soft = kd.Objective(kd.losses.SoftTargets(), use_sample_weight=False)
    distiller = kd.Distiller(mlp(8, "s"), mlp(16, "t"), [soft])
    logs = one_step(distiller, x, y, np.zeros(32, "float32"), loss=cross_entropy())
    assert logs["student_loss"] == 0.0
    assert logs["loss"] > 0


def test_one_weight_set_per_output_needs_an_objective_that_says_which(batch):
    x, y = batch
    inputs = keras.Input((8, 8, 1))
    hidden = keras.layers.Dense(4, name="hidden")(keras.layers.Flatten()(inputs))
    model = keras.Model(inputs, {"a": keras.layers.Dense(10)(hidden), "b": keras.layers.Dense(10)(hidden)})
    tap = kd.Objective("mse", student="hidden", teacher="hidden")
    distiller = kd.Distiller(model, keras.models.clone_model(model), [tap])
    ones = np.ones(32, "float32")
    both = {"a": cross_entropy(), "b": cross_entropy()}
    with pytest.raises(ValueError, match="Sample weights come per output"):
        one_step(distiller, x, {"a": y, "b": y}, {"a": ones, "b": ones}, loss=both)


@pytest.mark.slow
def test_several_inputs_and_outputs(batch):
    x, y = batch

    def two(units):
        left, right = keras.Input((8, 8, 1), name="left"), keras.Input((8, 8, 1), name="right")
        both = keras.layers.Concatenate()([keras.layers.Flatten()(left), keras.layers.Flatten()(right)])
        hidden = keras.layers.Dense(units)(both)
        outputs = {"digit": keras.layers.Dense(10)(hidden), "size": keras.layers.Dense(1)(hidden)}
        return keras.Model({"left": left, "right": right}, outputs)

    objectives = [
        kd.Objective(
            kd.losses.SoftTargets(), student="output/digit", teacher="output/digit", name="digit_kd"
        ),
        kd.Objective("mse", student="output/size", teacher="output/size", name="size_kd"),
    ]
    distiller = kd.Distiller(two(4), two(16), objectives)
    hard = {"loss": {"digit": cross_entropy(), "size": "mse"}, "loss_weights": {"digit": 1, "size": 0.5}}
    data = {"left": x, "right": x}
    labels = {"digit": y, "size": np.ones((32, 1), "float32")}
    logs = one_step(distiller, data, labels, **hard)
    total = logs["student_loss"] + logs["digit_kd"] + logs["size_kd"]
    np.testing.assert_allclose(logs["loss"], total, rtol=1e-5)
    weights = {"digit": np.zeros(32, "float32"), "size": np.ones(32, "float32")}
    distiller.reset_metrics()
    logs = one_step(distiller, data, labels, weights, **hard)
    assert logs["digit_kd"] == 0
    assert logs["size_kd"] > 0


def test_weights_for_an_objective():
    weights = tf.constant([[1.0, 0.0], [2.0, 2.0]])
    assert weights_for(kd.Objective("mse"), weights) is weights
    assert weights_for(kd.Objective("mse", use_sample_weight=False), weights) is None
    assert weights_for(kd.Objective("mse"), None) is None
    of_a = kd.Objective("mse", student="output/a")
    assert weights_for(of_a, {"a": weights, "b": None}) is weights


def pixels(width, seed, activation=None, size=8):
    """A model that sees each pixel alone, so that plain Keras can train it on another's outputs."""
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((size, size, 2))
    x = keras.layers.Dense(width, activation="tanh", name="hidden")(inputs)
    return keras.Model(inputs, keras.layers.Dense(3, activation=activation, name="head")(x))


def images(samples=4, size=8):
    random = np.random.default_rng(0)
    x = random.normal(size=(samples, size, size, 2)).astype("float32")
    return x, random.integers(0, 3, (samples, size, size)), random.uniform(0, 4, (samples, size, size))


def trained(model, loss, x, y, weights):
    model.compile(keras.optimizers.SGD(0.5), loss=loss, run_eagerly=True)
    model.fit(x, y, sample_weight=weights, batch_size=2, epochs=2, shuffle=False, verbose=0)
    return model.get_weights()


@pytest.mark.parametrize("axis", [pytest.param(False, marks=pytest.mark.slow), True])
def test_weights_of_pixels_train_as_they_do_in_plain_keras(axis):
    x, y, weights = images()
    weights = weights[..., None] if axis else weights
    teacher, student, plain = pixels(8, 0), pixels(4, 1), pixels(4, 1)
    distiller = kd.Distiller(student, teacher, [kd.losses.get("mse")])
    trained(distiller, None, x, y, weights)
    expected = trained(plain, "mse", x, predictions(teacher, x), weights)
    for ours, theirs in zip(student.get_weights(), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


def test_weights_of_rare_pixels_and_objectives_by_name():
    x, y, _ = images()
    rare = np.array([0.1, 1.0, 7.0])[y]
    teacher, student = pixels(8, 0), pixels(4, 1)
    distiller = kd.Distiller(
        student, teacher, ["logits_mse", lambda t, s: keras.ops.max(abs(t - s), axis=-1)]
    )
    logs = one_step(distiller, x, y, rare, loss=cross_entropy())
    gaps = np.abs(predictions(teacher, x) - predictions(student, x))
    np.testing.assert_allclose(logs["logits_mse"], ((gaps**2).mean(-1) * rare).mean(), rtol=1e-5)
    np.testing.assert_allclose(logs["lambda"], (gaps.max(-1) * rare).mean(), rtol=1e-5)


def test_weights_without_labels_weigh_too_or_are_refused():
    """Keras's `pack_x_y_sample_weight` drops them, and so does its `fit`."""
    x = np.random.default_rng(2).random((8, 4)).astype("float32")
    weights = np.arange(8, dtype="float32")
    teacher, student = perceptron(8), perceptron(4)
    distiller = kd.Distiller(student, teacher, ["mse"])
    expected = (((predictions(teacher, x) - predictions(student, x)) ** 2).mean(-1) * weights).mean()
    assert float(distiller.compute_objectives(x, sample_weight=weights).loss) == pytest.approx(expected)
    distiller.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    assert distiller.train_on_batch(x, sample_weight=weights)[0] == pytest.approx(expected)
    with pytest.raises(ValueError, match=r"`sample_weight` without `y`.*y=np.zeros\(len\(x\)\)"):
        distiller.fit(x, sample_weight=weights, verbose=0)
    logs = distiller.fit(x, np.zeros(len(x)), sample_weight=weights, verbose=0).history
    assert logs["loss"][0] == pytest.approx(expected)
    distiller.compile("sgd", run_eagerly=True)
    with pytest.raises(ValueError, match=r"Objective 'mse' .*Weights of the shape"):
        distiller.train_on_batch(x, sample_weight=np.ones((8, 2), "float32"))


@pytest.mark.slow
def test_a_mask_and_weights_of_tokens_together():
    """One sample, because Keras averages over the tokens of the batch, and an objective over a sample's."""

    def tagger(width):
        return keras.Sequential(
            [
                keras.Input((6,), dtype="int32"),
                keras.layers.Embedding(9, width, mask_zero=True),
                keras.layers.Dense(2),
            ]
        )

    x, weights = np.array([[3, 1, 4, 1, 0, 0]]), np.array([[0.5, 2.0, 0.0, 1.0, 9.0, 0.0]])
    teacher, student = tagger(8), tagger(4)
    y = predictions(teacher, x)
    student.compile(loss="mse")
    expected = student.evaluate(x, y, sample_weight=weights, verbose=0)
    logs = one_step(kd.Distiller(student, teacher, ["mse"]), x, y, weights, loss="mse")
    np.testing.assert_allclose(logs["mse"], expected, rtol=1e-5)


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "mean_with_sample_weight", "sum"])
def test_reductions_with_weights_of_pixels(reduction):
    x, y, weights = images()
    teacher, student = pixels(8, 0), pixels(4, 1)
    keras_loss = keras.losses.MeanAbsoluteError(reduction=reduction)
    logs = one_step(kd.Distiller(student, teacher, [keras_loss]), x, y, weights, loss=cross_entropy())
    expected = float(keras_loss(predictions(teacher, x), predictions(student, x), weights))
    if reduction == "sum":  # the sum over samples of their means
        expected /= 64
    np.testing.assert_allclose(logs["mean_absolute_error"], expected, rtol=1e-5)


def half_size(width, seed):
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((8, 8, 2))
    x = keras.layers.Conv2D(width, 2, strides=2, name="half")(inputs)
    return keras.Model(inputs, keras.layers.Conv2DTranspose(3, 2, strides=2)(x))


def test_a_pixel_of_a_smaller_map_weighs_as_the_labels_that_it_covers():
    x, y, weights = images()
    teacher, student = half_size(3, 0), half_size(3, 1)
    objective = kd.Objective("mse", student="half", teacher="half")
    logs = one_step(kd.Distiller(student, teacher, [objective]), x, y, weights, loss=cross_entropy())
    maps = (predictions(keras.Model(m.input, m.get_layer("half").output), x) for m in (teacher, student))
    errors = ((next(maps) - next(maps)) ** 2).mean(-1).repeat(2, 1).repeat(2, 2)
    np.testing.assert_allclose(logs["mse_half"], (errors * weights).mean(), rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("loss", "taps", "why", "eager"),
    [
        ("similarity_preserving", "hidden", "is not made of one value for each token or pixel", True),
        ("attention_transfer", "hidden", "is not made of one value for each token or pixel", False),
        ("mse", "pooled", "They need one weight for each of its tokens or pixels", True),
    ],
)
def test_weights_that_an_objective_cannot_apply_are_refused_before_training(loss, taps, why, eager):
    def model(seed):
        base = pixels(4, seed)
        pooled = keras.layers.GlobalAveragePooling2D(name="pooled")(base.get_layer("hidden").output)
        for_all = keras.layers.Reshape((1, 1, 3))(keras.layers.Dense(3)(pooled))
        return keras.Model(base.input, keras.layers.Add()([base.output, for_all]))

    x, y, weights = images()
    student, teacher = model(0), model(1)
    before = student.get_weights()

    def distiller(**options):
        made = kd.Distiller(student, teacher, [kd.Objective(loss, student=taps, teacher=taps, **options)])
        made.compile(keras.optimizers.SGD(0.1), loss=cross_entropy(), run_eagerly=eager)
        return made

    with pytest.raises(ValueError, match=rf"Objective '{loss}_{taps}' .*{why}.*use_sample_weight=False"):
        distiller().fit(x, y, sample_weight=weights, verbose=0)
    for now, then in zip(student.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)
    for given, options in ((weights, {"use_sample_weight": False}), (np.ones((4, 1, 1)), {})):
        history = distiller(**options).fit(x, y, sample_weight=given, verbose=0).history
        assert np.isfinite(history["loss"]).all()


@pytest.mark.slow
def test_weights_of_pixels_in_half_precision():
    x, y, weights = images()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        teacher, student = pixels(8, 0), pixels(4, 1)
        distiller = kd.Distiller(student, teacher, temperature=2.0, alpha=0.0)
        logs = one_step(distiller, x, y, weights, loss=cross_entropy())
    finally:
        keras.config.set_dtype_policy("float32")
    p, q = (softmax(predictions(model, x).astype("float64") / 2) for model in (teacher, student))
    expected = 4 * ((p * np.log(p / q)).sum(-1) * weights).mean()
    np.testing.assert_allclose(logs["soft_targets"], expected, rtol=2e-2)


def test_position_weights_are_traced_for_the_objectives_that_read_them():
    signals = Signals(
        {"output": SignalSpec((None, 6, 2), "float32", None)},
        {"output": SignalSpec((None, 6, 2), "float32", None)},
    )
    pair = [(kd.Objective("similarity_preserving"), signals)]
    check_position_weights(pair, tf.ones((3,)))
    check_position_weights([(kd.Objective("mse"), signals)], tf.ones((3, 6)))
    with pytest.raises(ValueError, match=r"Objective 'similarity_preserving' \(student 'output'"):
        check_position_weights(pair, tf.ones((3, 6)))
