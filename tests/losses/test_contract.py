"""Every loss passes every test: see `tests/contract.py`."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_kd as kd
from tests.contract import LOSSES

REFERENCE = np.load(Path(__file__).parent.parent / "data" / "losses.npz")
BATCH = 6

losses = pytest.mark.parametrize("row", LOSSES.values(), ids=LOSSES)


def signals(row, scale=1.0, seed=0):
    random = np.random.default_rng(seed)
    return (scale * random.normal(size=(BATCH, *shape)) for shape in (row.teacher, row.student))


def per_sample(row, teacher, student):
    loss = row.make()
    loss.reduction = None
    return keras.ops.convert_to_numpy(loss(teacher, student))


def value_and_gradient(loss, teacher, student, **call):
    student = tf.Variable(student)
    with tf.GradientTape() as tape:
        value = loss(teacher, student, **call)
    return value.numpy(), tape.gradient(value, student).numpy()


def test_every_exported_loss_has_a_row():
    exported = {name for name in kd.losses.__all__ if isinstance(getattr(kd.losses, name), type)}
    assert exported == {name.split(",")[0] for name in LOSSES}


@losses
def test_equals_the_oracle(row):
    teacher, student = signals(row)
    np.testing.assert_allclose(
        per_sample(row, teacher, student), row.oracle(teacher, student), rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize(
    ("row", "case", "key"),
    [(row, case, key) for row in LOSSES.values() for case, key in row.references.items()],
    ids=[f"{name}-{case}" for name, row in LOSSES.items() for case in row.references],
)
def test_equals_the_published_reference(row, case, key):
    value, gradient = value_and_gradient(
        row.make(),
        REFERENCE[f"{case}/teacher"].astype("float32"),
        REFERENCE[f"{case}/student"].astype("float32"),
    )
    np.testing.assert_allclose(value, REFERENCE[f"{case}/{key}/value"], rtol=1e-5)
    expected = REFERENCE[f"{case}/{key}/grad"]
    # float32 inputs of scale 30 carry rounding of their own, relative to the largest gradient
    np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=max(1e-7, 1e-5 * np.abs(expected).max()))


@losses
def test_is_least_when_the_student_is_the_teacher(row):
    teacher, student = signals(row)
    at_teacher = per_sample(row, teacher, teacher)
    if row.zero_at_teacher:
        np.testing.assert_allclose(at_teacher, 0.0, atol=1e-5)
    if row.teacher == row.student:
        assert (at_teacher < per_sample(row, teacher, student)).all()


@losses
def test_the_gradient_reaches_the_student_only(row):
    teacher, student = (tf.Variable(s.astype("float32")) for s in signals(row))
    with tf.GradientTape() as tape:
        value = row.make()(teacher, student)
    to_teacher, to_student = tape.gradient(value, [teacher, student])
    assert to_teacher is None
    assert np.abs(to_student.numpy()).max() > 0


@losses
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_is_finite_at_extremes_and_in_low_precision(row, dtype):
    for scale in (0.0, 1.0, 1e4):
        teacher, student = (keras.ops.cast(s, dtype) for s in signals(row, scale))
        value, gradient = value_and_gradient(row.make(), teacher, student)
        assert np.isfinite(value)
        assert np.isfinite(keras.ops.convert_to_numpy(keras.ops.cast(gradient, "float32"))).all()


@losses
def test_sample_weights_weigh_samples(row):
    teacher, student = signals(row)
    loss, each = row.make(), per_sample(row, teacher, student)
    weights = np.array([0.0, 1.0, 2.0, 0.0, 1.0, 3.0])
    np.testing.assert_allclose(loss(teacher, student, weights), (each * weights).mean(), rtol=1e-5)
    assert float(loss(teacher, student, np.zeros(BATCH))) == 0.0


@losses
def test_the_order_of_the_batch_does_not_matter(row):
    teacher, student = signals(row)
    order = np.random.default_rng(1).permutation(BATCH)
    np.testing.assert_allclose(
        per_sample(row, teacher[order], student[order]),
        per_sample(row, teacher, student)[order],
        rtol=1e-4,
        atol=1e-6,
    )


@losses
def test_a_sample_stands_alone(row):
    if row.mixes_samples:
        return
    teacher, student = signals(row)
    alone = np.concatenate([per_sample(row, teacher[i : i + 1], student[i : i + 1]) for i in range(BATCH)])
    np.testing.assert_allclose(alone, per_sample(row, teacher, student), rtol=1e-5, atol=1e-7)


@losses
def test_configuration_round_trip(row):
    loss = row.make()
    teacher, student = signals(row)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert type(again) is type(loss)
    assert again.get_config() == loss.get_config()
    assert float(again(teacher, student)) == float(loss(teacher, student))


@losses
@pytest.mark.parametrize("jit", [False, True], ids=["graph", "xla"])
def test_compiles_and_keeps_a_dynamic_batch(row, jit):
    teacher, student = (s.astype("float32") for s in signals(row))
    loss = row.make()
    specs = [tf.TensorSpec((None, *shape), "float32") for shape in (row.teacher, row.student)]
    function = tf.function(lambda t, s: loss(t, s), jit_compile=jit, input_signature=specs)
    np.testing.assert_allclose(function(teacher, student), loss(teacher, student), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(
        function(teacher[:3], student[:3]), loss(teacher[:3], student[:3]), rtol=1e-5, atol=1e-7
    )


@losses
def test_gradient_agrees_with_finite_differences(row):
    teacher, student = signals(row)
    loss = row.make()
    loss = type(loss).from_config({**loss.get_config(), "dtype": "float64"})
    _, gradient = value_and_gradient(loss, teacher, student)
    direction = np.random.default_rng(2).normal(size=student.shape)
    step = 1e-6
    ahead, behind = (row.oracle(teacher, student + sign * step * direction).mean() for sign in (1, -1))
    np.testing.assert_allclose((gradient * direction).sum(), (ahead - behind) / (2 * step), rtol=1e-4)


@losses
def test_is_a_plain_keras_loss(row):
    if not row.as_keras_loss or row.teacher != row.student:
        return
    targets, inputs = signals(row)
    model = keras.Sequential([keras.Input(row.student), keras.layers.Dense(row.student[-1])])
    model.compile("sgd", loss=row.make())
    history = model.fit(inputs, targets, epochs=3, batch_size=BATCH, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]


@losses
def test_works_inside_keras_distillation(row):
    if not row.as_keras_loss or len(row.student) == 1 or row.teacher != row.student:
        return

    def model(name):
        inputs = keras.Input(row.student)
        features = keras.layers.Dense(row.student[-1], name="features")(inputs)
        return keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(features)), name=name)

    feature = keras.distillation.FeatureDistillation(
        loss=row.make(), teacher_layer_name="features", student_layer_name="features"
    )
    rival = keras.distillation.Distiller(model("teacher"), model("student"), distillation_losses=feature)
    rival.compile("sgd", loss="mse")
    x, _ = signals(row)
    history = rival.fit(x, np.zeros((BATCH, 2)), verbose=0)
    assert np.isfinite(history.history["distillation_loss"][0])
