"""Padding masks that reach an objective, and those that do not."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_kd as kd
from keras_kd.distillation.masks import join_padding_masks, mask_after_projection
from keras_kd.distillation.tapped import NOTHING, Tapped
from keras_kd.signals.batches import Batch
from tests.distillation.conftest import cross_entropy, one_step, predictions

LENGTHS = np.array([1, 2, 3, 4, 6, 6, 2, 5])


def tokens_in():
    random = np.random.default_rng(0)
    tokens = random.integers(1, 9, (8, 6))
    return tokens * (np.arange(6) < LENGTHS[:, None])  # 0 is padding


def tagger(width, *, mask_zero=True, activation=None, name="tagger"):
    """An embedding and a head for each token, without anything between tokens."""
    inputs = keras.Input((6,), dtype="int32", name="tokens")
    x = keras.layers.Embedding(9, width, mask_zero=mask_zero, name="embedding")(inputs)
    x = keras.layers.Dense(width, activation="tanh", name="hidden")(x)
    return keras.Model(inputs, keras.layers.Dense(4, activation=activation, name="head")(x), name=name)


def valid_mean(values, x):
    mask = x > 0
    return ((values * mask).sum(1) / mask.sum(1)).mean()


@pytest.mark.parametrize(("activation", "eager"), [(None, False), ("softmax", True)])
def test_padded_tokens_are_left_out_of_the_blend(activation, eager):
    x, teacher, student = tokens_in(), tagger(16, activation=activation), tagger(4, activation=activation)
    distiller = kd.Distiller(student, teacher, temperature=1.0, alpha=0)
    distiller.compile(keras.optimizers.SGD(0.0), run_eagerly=eager)
    value = distiller.fit(x, batch_size=8, verbose=0).history["soft_targets"][0]
    p, q = (predictions(model, x) for model in (teacher, student))
    if activation is None:
        p, q = (np.exp(z) / np.exp(z).sum(-1, keepdims=True) for z in (p, q))
    np.testing.assert_allclose(value, valid_mean((p * np.log(p / q)).sum(-1), x), rtol=1e-4)


def test_padded_tokens_are_left_out_of_a_projected_feature():
    x, teacher, student = tokens_in(), tagger(16), tagger(4)
    objective = kd.Objective("mae", student="hidden", teacher="hidden", project=True)
    distiller = kd.Distiller(student, teacher, [kd.losses.SoftTargets(), objective])
    value = one_step(distiller, x)["mae_hidden"]
    taps = [keras.Model(m.input, m.get_layer("hidden").output) for m in (teacher, student)]
    of_teacher, of_student = (predictions(tap, x) for tap in taps)
    projected = np.asarray(objective.projection(of_student))
    expected = valid_mean(np.abs(of_teacher - projected).mean(-1), x)
    np.testing.assert_allclose(value, expected, rtol=1e-5)


@pytest.mark.parametrize("mask", ["input", "is_token"])
def test_a_mask_may_be_a_signal(mask):
    x, teacher = tokens_in(), tagger(16, mask_zero=False)
    student = tagger(4, mask_zero=False)
    is_token = keras.layers.Lambda(lambda t: t > 0, output_shape=(6,), name="is_token")(student.input)
    head = keras.layers.Lambda(lambda both: both[0], name="pick")([student.output, is_token])
    student = keras.Model(student.input, head)
    objective = kd.Objective(kd.losses.LogitsMSE(), mask=mask)
    value = one_step(kd.Distiller(student, teacher, [objective]), x)["logits_mse"]
    difference = predictions(teacher, x) - predictions(student, x)
    np.testing.assert_allclose(value, valid_mean((difference**2).mean(-1), x), rtol=1e-5)


def test_a_mask_may_be_a_named_input():
    def model(width):
        base = tagger(width, mask_zero=False)
        padding = keras.Input((6,), dtype="bool", name="padding")
        kept = keras.layers.Multiply()([base.output, keras.ops.expand_dims(padding, -1)])
        return keras.Model({"tokens": base.input, "padding": padding}, kept)

    x = {"tokens": tokens_in(), "padding": tokens_in() > 0}
    teacher, student = model(16), model(4)
    objective = kd.Objective(kd.losses.LogitsMSE(), mask="input/padding")
    value = one_step(kd.Distiller(student, teacher, [objective]), x)["logits_mse"]
    difference = predictions(teacher, x) - predictions(student, x)
    expected = valid_mean((difference**2).mean(-1), x["tokens"])
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    with pytest.raises(ValueError, match=r"the data has \['input/"):
        one_step(kd.Distiller(student, teacher, [kd.Objective("mse", mask="input/pading")]), x)


def test_a_loss_that_cannot_mask_refuses_padded_signals():
    class PerSample(keras.losses.Loss):
        def call(self, teacher, student):
            return keras.ops.mean((teacher - student) ** 2, axis=(1, 2))

    with pytest.raises(ValueError, match="'per_sample' gives one value per sample, so padded tokens"):
        kd.Distiller(tagger(4), tagger(16), [PerSample(name="per_sample")])


def test_an_explicit_mask_reaches_a_loss_of_ones_own():
    class PerToken(keras.losses.Loss):
        def call(self, teacher, student):
            return keras.ops.mean((teacher - student) ** 2, axis=-1)

    x, teacher, student = tokens_in(), tagger(16, mask_zero=False), tagger(4, mask_zero=False)
    objective = kd.Objective(PerToken(name="own"), mask="input")
    value = one_step(kd.Distiller(student, teacher, [objective]), x)["own"]
    difference = predictions(teacher, x) - predictions(student, x)
    np.testing.assert_allclose(value, valid_mean((difference**2).mean(-1), x), rtol=1e-5)


def test_a_weight_for_each_token_leaves_tokens_out():
    x, teacher, student = tokens_in(), tagger(16, mask_zero=False), tagger(4, mask_zero=False)
    weights = (x > 0).astype("float32")
    y = np.zeros((8, 6), "int32")
    distiller = kd.Distiller(student, teacher, [kd.losses.LogitsMSE()])
    logs = one_step(distiller, x, y, weights, loss=cross_entropy())
    difference = predictions(teacher, x) - predictions(student, x)
    expected = ((difference**2).mean(-1) * weights).mean()  # as Keras weighs a loss per token
    np.testing.assert_allclose(logs["logits_mse"], expected, rtol=1e-5)


def test_a_projection_may_pool_padded_tokens():
    teacher = keras.Sequential([keras.Input((6,)), keras.layers.Dense(4, name="pooled")])
    objective = kd.Objective(
        "mse", student="hidden", teacher="pooled", project=keras.layers.GlobalAveragePooling1D()
    )
    distiller = kd.Distiller(tagger(4), teacher, [objective])
    logs = one_step(distiller, tokens_in(), np.zeros((8, 6), "int32"), loss=cross_entropy())
    assert np.isfinite(logs["mse_hidden"])


def test_a_function_per_token_is_masked():
    x, teacher, student = tokens_in(), tagger(16), tagger(4)

    def largest(teacher, student):
        return keras.ops.max(keras.ops.abs(teacher - student), axis=-1)

    value = one_step(kd.Distiller(student, teacher, [largest]), x)["largest"]
    difference = np.abs(predictions(teacher, x) - predictions(student, x)).max(-1)
    np.testing.assert_allclose(value, valid_mean(difference, x), rtol=1e-5)


def encoder(width, name="encoder"):
    """A block of a transformer as users write it: Keras takes the mask off what its attention reads."""
    inputs = keras.Input((6,), dtype="int32", name="tokens")
    x = keras.layers.Embedding(9, width, mask_zero=True, name="embedding")(inputs)
    y = keras.layers.MultiHeadAttention(2, width // 2, name="attention")(x, x)
    x = keras.layers.LayerNormalization(name="first")(keras.layers.Add(name="add")([x, y]))
    y = keras.layers.MultiHeadAttention(2, width // 2, name="attention2")(x, x)
    x = keras.layers.LayerNormalization(name="hidden")(keras.layers.Add(name="last")([x, y]))
    x = keras.layers.GlobalAveragePooling1D()(x)
    return keras.Model(inputs, keras.layers.Dense(4, name="head")(x), name=name)


SOME = {"hidden": "similarity_preserving", ("attention2/query", "attention2/key"): "attention_maps"}
ALL = SOME | {
    "embedding": "similarity_preserving",
    "add": "similarity_preserving",
    "first": "similarity_preserving",
    "attention": "similarity_preserving",
    ("attention/query", "attention/key", "attention/value"): "self_attention_relations",
}


def found_and_named(masked):
    """Two objectives for each tap: one finds the mask, and one is given it."""
    return [
        kd.Objective(loss, student=taps, teacher=taps, mask=mask, name=f"{name}{i}")
        for i, (taps, loss) in enumerate(masked.items())
        for mask, name in ((None, "found"), ("input", "named"))
    ]


@pytest.mark.parametrize(
    ("masked", "eager"),
    [
        pytest.param(SOME, True, id="eager", marks=pytest.mark.slow),
        pytest.param(ALL, False, id="graph", marks=pytest.mark.slow),
    ],
)
def test_the_masks_that_attention_takes_off_are_found(masked, eager):
    teacher, student = encoder(16), encoder(4)
    keras.Sequential([keras.Input((6,), dtype="int32"), student, keras.layers.Softmax()])  # calls it again
    distiller = kd.Distiller(student, teacher, found_and_named(masked))
    distiller.compile(keras.optimizers.SGD(0.0), loss=cross_entropy(), run_eagerly=eager)
    logs = distiller.fit(tokens_in(), np.zeros(8, "int32"), batch_size=8, verbose=0).history
    for i, taps in enumerate(masked):
        np.testing.assert_allclose(logs[f"found{i}"], logs[f"named{i}"], rtol=1e-5, err_msg=str(taps))


@pytest.mark.slow
def test_the_masks_inside_a_nested_model_are_found():
    def nested(width):
        inputs = keras.Input((6,), dtype="int32")
        return keras.Model(inputs, keras.layers.Dense(4)(encoder(width)(inputs)))

    taps = ["encoder/embedding", "encoder/hidden", "encoder/attention2/query"]
    objectives = found_and_named(dict.fromkeys(taps, "similarity_preserving"))
    distiller = kd.Distiller(nested(4), nested(16), objectives)
    distiller.compile(keras.optimizers.SGD(0.0), loss=cross_entropy())
    logs = distiller.fit(tokens_in(), np.zeros(8, "int32"), batch_size=8, verbose=0).history
    for i, tap in enumerate(taps):
        np.testing.assert_allclose(logs[f"found{i}"], logs[f"named{i}"], rtol=1e-5, err_msg=tap)


def test_a_sequence_of_unknown_length_keeps_its_mask_through_a_projection():
    """The data knows the length and the model does not: that is no reason to drop the mask."""

    def model(width):
        inputs = keras.Input((None,), dtype="int32")
        x = keras.layers.Embedding(9, width, name="embedding")(inputs)
        return keras.Model(inputs, keras.layers.Dense(4)(x))

    x, teacher, student = tokens_in(), model(16), model(4)
    project = keras.layers.Dense(16)
    objective = kd.Objective("mse", student="embedding", teacher="embedding", project=project, mask="input")
    distiller = kd.Distiller(student, teacher, [objective])
    value = one_step(distiller, x, np.zeros((8, 6), "int32"), loss=cross_entropy())["mse_embedding"]
    of_teacher, of_student = (np.asarray(m.get_layer("embedding")(x)) for m in (teacher, student))
    expected = valid_mean(((of_teacher - np.asarray(project(of_student))) ** 2).mean(-1), x)
    np.testing.assert_allclose(value, expected, rtol=1e-5)


def test_mask_after_projection_is_dropped_only_where_tokens_were_pooled():
    mask = tf.constant([[True, False, True]])
    pool, dense = keras.layers.GlobalAveragePooling1D(), keras.layers.Dense(2)
    assert mask_after_projection(mask, pool, tf.zeros((1, 2))) is None
    assert mask_after_projection(mask, dense, tf.zeros((1, 3, 2))) is mask
    unmasked = keras.layers.Conv1D(2, 3)  # would not leave padded tokens out, so the loss says what is wrong
    assert not unmasked.supports_masking
    assert mask_after_projection(mask, unmasked, tf.zeros((1, 1, 2))) is mask
    assert mask_after_projection(None, pool, tf.zeros((1, 2))) is None


def test_join_padding_masks_takes_those_of_both_signals_and_of_the_objective():
    tokens = np.array([[1, 1, 1, 1, 1, 0]])
    signal, nothing = {"output": tf.zeros((1, 6, 2))}, tf.constant([[True] * 6])

    def without(position):
        return tf.tensor_scatter_nd_update(nothing, [[0, position]], [False])

    student = Tapped(signal, signal, {"output": without(0), "elsewhere": without(4)})
    teacher = Tapped(signal, signal, {"output": without(1)})
    objective = kd.Objective("mse", mask="input")
    joined = join_padding_masks(objective, student, teacher, Batch(tokens))
    assert joined.numpy().tolist() == [[False, False, True, True, True, False]]
    bare = kd.Objective("mse")
    assert join_padding_masks(bare, Tapped(signal, signal, {}), NOTHING, Batch(tokens)) is None
