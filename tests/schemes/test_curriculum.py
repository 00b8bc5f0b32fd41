"""A temperature that is trained against the student: its value, its gradient, and where it is kept."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_kd as kd
from tests.distillation.conftest import CLASSES, VECTORS, cross_entropy, distance, perceptron, weights_of


@pytest.mark.parametrize(("step", "strength"), [(0, 0.0), (25, 0.5), (50, 1.0), (500, 1.0)])
def test_the_gradient_is_reversed_more_and_more(step, strength):
    temperature = kd.CurriculumTemperature(50, low=2.0, width=3.0)
    temperature.value.assign(0.3)
    with tf.GradientTape() as tape:
        value = temperature(tf.constant(step, tf.int64))
    share = 1 / (1 + np.exp(-0.3))
    assert float(value) == pytest.approx(2 + 3 * share, rel=1e-5)
    gradient = tape.gradient(value, temperature.value.value)
    assert float(gradient) == pytest.approx(-strength * 3 * share * (1 - share), abs=1e-5)


def by_hand(student, teacher, steps):
    """The student goes down the loss, the temperature up."""
    value, optimizer = tf.Variable(1.0), keras.optimizers.SGD(0.1)
    for step in range(steps):
        with tf.GradientTape(persistent=True) as tape:
            temperature = 1 + 3 * tf.sigmoid(value)
            target = tf.nn.log_softmax(tf.stop_gradient(teacher(VECTORS)) / temperature)
            answer = tf.nn.log_softmax(student(VECTORS) / temperature)
            soft = temperature**2 * tf.reduce_mean(tf.reduce_sum(tf.exp(target) * (target - answer), -1))
            loss = 0.1 * cross_entropy()(CLASSES, student(VECTORS)) + 0.9 * soft
        strength = (1 - np.cos(np.pi * min(step / 4, 1))) / 2
        upward = -strength * tape.gradient(loss, value)
        gradients = tape.gradient(loss, student.trainable_weights)
        optimizer.apply_gradients(zip(gradients, student.trainable_weights, strict=True))
        value.assign_sub(0.1 * upward)
    return float(value)


def models():
    keras.utils.set_random_seed(0)
    student, teacher = perceptron(5), perceptron(9, "teacher")
    teacher.set_weights([5 * weight for weight in teacher.get_weights()])  # so that its answers are sharp
    return student, teacher


@pytest.mark.slow
def test_is_a_loop_written_by_hand(tmp_path):
    distiller = kd.Distiller(*models(), temperature=kd.CurriculumTemperature(4, width=3.0))
    distiller.compile(keras.optimizers.SGD(0.1), loss=cross_entropy())
    distiller.fit(VECTORS, CLASSES, batch_size=24, epochs=5, verbose=0)
    student, teacher = models()
    value = by_hand(student, teacher, 5)
    assert float(distiller.temperature.value) == pytest.approx(value, abs=1e-6)
    assert abs(value - 1) > 1e-4
    assert distance(weights_of(student), weights_of(distiller.student)) < 1e-5
    distiller.save(tmp_path / "curriculum.keras")
    loaded = keras.models.load_model(tmp_path / "curriculum.keras")
    assert float(loaded.objectives[0].loss.temperature.value) == pytest.approx(value, abs=1e-6)
    assert len(loaded.trainable_weights) == len(loaded.student.trainable_weights) + 1


def test_a_loss_inside_another_is_trained_too():
    inner = kd.losses.SoftTargets(kd.CurriculumTemperature(4))
    objective = kd.Objective(kd.losses.ConfidenceFiltered(inner, threshold=0.2))
    assert [weight.path for weight in objective.trainable_weights] == [inner.temperature.value.path]


@pytest.mark.parametrize("arguments", [{"steps": 0}, {"steps": 5, "low": 0.0}, {"steps": 5, "width": -1.0}])
def test_refused(arguments):
    with pytest.raises(ValueError, match="A curriculum takes 1 step or more"):
        kd.CurriculumTemperature(**arguments)
