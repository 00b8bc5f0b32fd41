"""Training loops of one's own: what a Distiller computes on a batch."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_kd as kd
from tests.distillation.conftest import CLASSES, VECTORS, cross_entropy, distance, perceptron, weights_of
from tests.oracles.logits import kl
from tests.selection import rest_slow


def features():
    fade = keras.optimizers.schedules.PolynomialDecay(1.0, 4, 0.0)
    return [
        kd.Objective(kd.losses.SoftTargets(2.0), weight=0.5),
        kd.Objective("mse", student="hidden", teacher="hidden", project=True, weight=fade, name="hint"),
    ]


@pytest.mark.parametrize("traced", rest_slow({"eager": False, "tf.function": True}, "eager"))
def test_a_loop_of_ones_own_without_compile_is_fit(traced):
    """The same steps, from the same seed, by `train_on_batch` and by a GradientTape."""
    keras.utils.set_random_seed(0)
    fitted = kd.Distiller(perceptron(4), perceptron(8), features())
    fitted.compile(keras.optimizers.SGD(0.1), loss=cross_entropy())
    logs = [fitted.train_on_batch(VECTORS, CLASSES, return_dict=True) for _ in range(3)][-1]

    keras.utils.set_random_seed(0)
    distiller, optimizer = kd.Distiller(perceptron(4), perceptron(8), features()), keras.optimizers.SGD(0.1)

    def step(x, y):
        with tf.GradientTape() as tape:
            distilled = distiller.compute_objectives(x, step=optimizer.iterations)
            loss = cross_entropy()(y, distilled.outputs) + distilled.loss
        variables = distiller.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss, distilled.values

    step = tf.function(step, autograph=False) if traced else step
    loss, values = [step(VECTORS, CLASSES) for _ in range(3)][-1]
    assert float(loss) == pytest.approx(logs["loss"], rel=1e-5)
    assert {name: float(value) for name, value in values.items()} == pytest.approx(
        {name: logs[name] for name in ("soft_targets", "hint")}, rel=1e-5
    )
    assert distance(weights_of(fitted), weights_of(distiller)) < 1e-6


def test_compute_objectives_reads_signals_of_the_data_and_asks_for_the_step():
    distiller = kd.Distiller(perceptron(4), alpha=0.0)
    signals = {"output": VECTORS[:, :3] - 3}
    value = distiller.compute_objectives(kd.Taught(VECTORS, signals)).loss
    student = np.asarray(distiller.student(VECTORS), "float64")
    assert float(value) == pytest.approx(kl(4.0)(signals["output"], student).mean(), rel=1e-4)
    with pytest.raises(
        ValueError, match=r"'hint' is a schedule. Give the training step: .*optimizer.iterations"
    ):
        kd.Distiller(perceptron(4), perceptron(8), features()).compute_objectives(VECTORS)
