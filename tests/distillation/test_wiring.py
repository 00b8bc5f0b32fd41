"""What a training step runs: each model once, and every objective."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_kd as kd
from keras_kd.distillation.model_pair import ModelPair
from keras_kd.distillation.tapped import NOTHING
from keras_kd.distillation.wiring import Wiring
from keras_kd.signals.batches import unpack
from tests.distillation.conftest import VECTORS, convnet, cross_entropy, perceptron


def test_objectives_add_up(batch):
    x, y = batch
    fade = keras.optimizers.schedules.PolynomialDecay(1.0, 4, 0.0)
    objectives = [
        kd.Objective(kd.losses.SoftTargets(4.0), weight=0.9),
        kd.Objective("mse", student="block2", teacher="block2", project=True, weight=fade, name="hint"),
    ]
    student = convnet(4)
    distiller = kd.Distiller(student, convnet(16, "teacher"), objectives)
    distiller.compile(keras.optimizers.SGD(0.1), loss=cross_entropy(), loss_weights=0.1)
    for step in range(3):
        logs = distiller.train_on_batch(x, y, return_dict=True)
        distiller.reset_metrics()
        total = logs["student_loss"] + 0.9 * logs["soft_targets"] + (1 - step / 4) * logs["hint"]
        np.testing.assert_allclose(logs["loss"], total, rtol=1e-5)


def test_each_model_runs_once_whatever_is_tapped(batch):
    x, y = batch
    runs = {"student": [], "teacher": []}

    @keras.saving.register_keras_serializable("test")
    class Probe(keras.layers.Layer):
        def __init__(self, key):
            super().__init__(name="probe")
            self.key = key

        def call(self, inputs, training=None):
            runs[self.key].append(training)
            return inputs

    def probed(units, key):
        inputs = keras.Input((8, 8, 1))
        x = keras.layers.Dense(units, name="hidden")(Probe(key)(keras.layers.Flatten()(inputs)))
        return keras.Model(inputs, keras.layers.Dense(10)(x))

    tap = kd.Objective("mse", student="hidden", teacher="hidden", project=True)
    distiller = kd.Distiller(probed(4, "student"), probed(8, "teacher"), [kd.losses.SoftTargets(), tap])
    distiller.compile("sgd", loss=cross_entropy(), run_eagerly=True)
    distiller.train_on_batch(x, y)  # the first batch is validated besides
    runs["student"].clear()
    runs["teacher"].clear()
    distiller.train_on_batch(x, y)
    assert runs == {"student": [True], "teacher": [False]}
    distiller.evaluate(x, y, verbose=0)
    distiller.predict(x, verbose=0)
    assert runs["teacher"] == [False]


@pytest.mark.slow
def test_losses_may_compute_in_other_precisions(batch):
    fade = keras.optimizers.schedules.PolynomialDecay(1.0, 10, 0.0)
    objectives = [
        kd.Objective(kd.losses.SoftTargets(dtype=dtype), weight=fade, name=dtype)
        for dtype in ("float16", "bfloat16", "float64")
    ]
    objectives.append(kd.losses.LogitsMSE())
    distiller = kd.Distiller(convnet(4), convnet(8), objectives)
    distiller.compile("sgd", loss=cross_entropy())
    logs = distiller.fit(*batch, verbose=0).history
    assert all(np.isfinite(values[0]) for values in logs.values())


def prepared(objectives, teacher=None, data=None):
    student = perceptron(4)
    wiring = Wiring(ModelPair(student, student, teacher), objectives)
    batch = unpack(VECTORS if data is None else data)
    wiring.prepare(batch)
    return wiring, batch


def test_run_teacher_gives_no_gradient_and_nothing_where_nobody_asks():
    teacher = perceptron(8)
    wiring, batch = prepared([kd.Objective("mse")], teacher)
    with tf.GradientTape() as tape:
        output = wiring.run_teacher(batch).raw["output"]
    np.testing.assert_allclose(output, teacher(VECTORS), rtol=1e-6)
    assert tape.gradient(output, teacher.trainable_weights[0].value) is None
    wiring, batch = prepared([kd.Objective("mse", teacher="labels")], teacher, (VECTORS, VECTORS[:, :3]))
    assert wiring.run_teacher(batch) == NOTHING


def test_cached_signals_stand_for_the_teacher_once_they_were_recognized():
    cached = {"output": VECTORS[:, :3] - 4}
    wiring, batch = prepared([kd.Objective("soft_targets")], data=(kd.Taught(VECTORS, cached),))
    with pytest.raises(ValueError, match="is inferred from the first batch"):
        wiring.run_teacher(batch)
    wiring.recognize_teacher(batch)
    np.testing.assert_array_equal(wiring.run_teacher(batch).logits["output"], cached["output"])


def test_compute_loss_sums_weighted_values_and_tracks_unweighted_ones():
    objectives = [kd.Objective("mse", weight=0.5), kd.Objective("mae", weight=3.0)]
    wiring, batch = prepared(objectives, perceptron(8))
    trackers = [keras.metrics.Mean() for _ in objectives]
    _, student = wiring.run_student(batch.inputs)
    total = wiring.compute_loss(student, wiring.run_teacher(batch), batch, 0, trackers)
    squared, absolute = (float(tracker.result()) for tracker in trackers)
    assert float(total) == pytest.approx(0.5 * squared + 3.0 * absolute, rel=1e-6)
    assert float(trackers[0].count) == len(VECTORS)
