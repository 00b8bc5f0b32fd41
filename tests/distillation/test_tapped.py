"""Logits and masks behind the tensors that were tapped."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_kd as kd
from keras_kd.distillation.tapped import Tapped
from keras_kd.keras_internals import attach_mask
from keras_kd.signals.tracing import SignalSpec
from tests.distillation.conftest import convnet, mlp, one_step, predictions
from tests.oracles.logits import kl


@pytest.mark.parametrize(
    ("of_student", "of_teacher", "eager"),
    [(None, None, False), (None, "softmax", True), ("softmax", None, True), ("softmax", "softmax", False)],
)
def test_probabilities_and_logits_give_the_same_soft_targets(batch, of_student, of_teacher, eager):
    x, _ = batch
    raw_student, raw_teacher = mlp(8, "s"), mlp(32, "t")
    student, teacher = mlp(8, "s2", of_student), mlp(32, "t2", of_teacher)
    student.set_weights(raw_student.get_weights())
    teacher.set_weights(raw_teacher.get_weights())
    expected = kl(4.0)(predictions(raw_teacher, x), predictions(raw_student, x)).mean()
    distiller = kd.Distiller(student, teacher, [kd.losses.SoftTargets()])
    distiller.compile(keras.optimizers.SGD(0.0), run_eagerly=eager)
    logs = distiller.train_on_batch(x, return_dict=True)
    np.testing.assert_allclose(logs["soft_targets"], expected, rtol=1e-4)


def test_logits_that_are_lost_are_centred(batch):
    x, _ = batch
    teacher, student = convnet(8), convnet(4)
    softmax = keras.layers.Softmax()(teacher.output)
    lost = keras.Model(teacher.input, keras.layers.Average()([softmax, softmax]))
    value = one_step(kd.Distiller(student, lost, [kd.losses.LogitsMSE()]), x)["logits_mse"]
    logits = teacher.predict(x, verbose=0)
    centred = logits - logits.mean(-1, keepdims=True)
    of_student = np.asarray(student(x, training=True))
    assert value == pytest.approx(((of_student - centred) ** 2).mean(), rel=1e-4)


def test_tapped_holds_tensors_their_logits_and_their_masks():
    logits = tf.constant([[1.0, 3.0], [0.0, 0.0]])
    masked = tf.constant([[5.0], [6.0]])
    attach_mask(masked, tf.constant([True, False]))
    signals = {
        "output": SignalSpec((None, 2), "float32", "softmax"),
        "hidden": SignalSpec((None, 1), "float32", None),
    }
    tapped = Tapped.of({"output": keras.ops.softmax(logits), "hidden": masked}, signals)
    np.testing.assert_allclose(tapped.logits["output"], logits, atol=1e-6)
    assert tapped.logits["hidden"] is tapped.raw["hidden"] is masked
    assert list(tapped.masks) == ["hidden"]
    assert tapped.read_by(kd.Objective("soft_targets")) is tapped.logits
    assert tapped.read_by(kd.Objective("mse")) is tapped.raw


def test_a_class_without_probability_is_suppressed_where_loss_and_projection_take_it():
    raw = {"output": tf.constant([[0.5, 0.5, 0.0]])}
    signals = {"output": SignalSpec((None, 3), "float32", "softmax")}
    teacher, student = Tapped.of(raw, signals, teacher=True), Tapped.of(raw, signals)
    for loss, project, taken in (
        ("soft_targets", None, True),
        ("soft_targets", kd.projections.ClassSubset([0, 2]), True),
        ("soft_targets", keras.layers.Dense(3), False),
        (kd.losses.SoftTargets(standardize=True), None, False),
        ("logits_mse", None, False),
    ):
        objective = kd.Objective(loss, project_teacher=project)
        assert bool(np.isneginf(teacher.read_by(objective)["output"][0, 2])) is taken
        assert np.isfinite(student.read_by(objective)["output"]).all()
