"""ARD, RSLAD and TRADES are loops written by hand, with the attack in them."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_kd as kd
from tests.distillation.conftest import (
    CLASSES,
    VECTORS,
    check_refused,
    cross_entropy,
    distance,
    perceptron,
    weights_of,
)
from tests.selection import rest_slow
from tests.training.test_full_state import Bomb, Killed

BOX = {"epsilon": 0.2, "step_size": 0.08, "steps": 4, "random_start": False}
SOFT = kd.losses.SoftTargets


def normed():
    """Its answers in training are others than in inference, under which it is attacked."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((4,))
    x = keras.layers.Dense(6, use_bias=False)(inputs)
    x = keras.layers.BatchNormalization(momentum=0.5)(x)
    x = keras.layers.Activation("tanh")(x)
    return keras.Model(inputs, keras.layers.Dense(3)(x), name="student")


def teacher():
    keras.utils.set_random_seed(1)
    return perceptron(9, "teacher")


def divergences(target, answer):
    """Of each sample; a gradient flows through both."""
    difference = tf.nn.log_softmax(target) - tf.nn.log_softmax(answer)
    return tf.reduce_sum(tf.nn.softmax(target) * difference, -1)


class Divergence(kd.losses.SignalLoss):
    reads_logits = True

    def call(self, teacher, student):
        return divergences(teacher, student)


def divergence(target, answer, temperature=1.0):
    return temperature**2 * tf.reduce_mean(divergences(target / temperature, answer / temperature))


# How each is made; what its attack makes large, of the answer to attacked inputs, the student's and the
# teacher's to clean ones; and its loss.
METHODS = {
    "ARD": (
        lambda: kd.Adversarial(normed(), teacher(), temperature=3.0, alpha=0.25, **BOX),
        lambda attacked, clean, taught: cross_entropy()(CLASSES, attacked),
        lambda attacked, clean, taught: (
            0.25 * cross_entropy()(CLASSES, clean) + 0.75 * divergence(taught, attacked, 3.0)
        ),
    ),
    "RSLAD": (
        lambda: kd.Adversarial(
            normed(),
            teacher(),
            [kd.Objective(SOFT(1.0), weight=5 / 6)],
            [kd.Objective(SOFT(1.0), weight=1 / 6, name="clean")],
            maximize="objectives",
            **BOX,
        ),
        lambda attacked, clean, taught: divergence(taught, attacked),
        lambda attacked, clean, taught: 5 / 6 * divergence(taught, attacked) + divergence(taught, clean) / 6,
    ),
    "TRADES": (
        lambda: kd.Adversarial(
            normed(),
            None,
            [kd.Objective(Divergence(), from_student=True, weight=6.0)],
            maximize="objectives",
            seed=7,
            **{**BOX, "random_start": True},
        ),
        lambda attacked, clean, taught: divergence(clean, attacked),
        lambda attacked, clean, taught: cross_entropy()(CLASSES, clean) + 6 * divergence(clean, attacked),
    ),
}


def attack_by_hand(student, of_teacher, large, start):
    x, moved = VECTORS, np.clip(start, 0, 1)
    clean = student(x, training=False)
    for _ in range(BOX["steps"]):
        moved = tf.constant(moved)
        with tf.GradientTape() as tape:
            tape.watch(moved)
            value = large(student(moved, training=False), clean, of_teacher)
        moved = moved + BOX["step_size"] * np.sign(tape.gradient(value, moved))
        moved = np.clip(np.clip(moved, x - BOX["epsilon"], x + BOX["epsilon"]), 0, 1)
    return moved


@pytest.mark.parametrize("name", rest_slow(list(METHODS), "ARD"))
def test_is_a_loop_written_by_hand(name):
    make, large, total = METHODS[name]
    adversarial = make()
    hard = None if name == "RSLAD" else cross_entropy()
    adversarial.compile(keras.optimizers.SGD(0.1), loss=hard, run_eagerly=name != "TRADES")
    student, optimizer, of_teacher = normed(), keras.optimizers.SGD(0.1), teacher()(VECTORS)
    seeds, logged = keras.random.SeedGenerator(7), []
    for _ in range(3):
        start = VECTORS
        if name == "TRADES":
            start = VECTORS + keras.random.uniform(VECTORS.shape, -0.2, 0.2, seed=seeds)
        moved = attack_by_hand(student, of_teacher, large, start)
        with tf.GradientTape() as tape:
            attacked, clean = student(moved, training=True), student(VECTORS, training=True)
            loss = total(attacked, clean, of_teacher)
        gradients = tape.gradient(loss, student.trainable_weights)
        optimizer.apply_gradients(zip(gradients, student.trainable_weights, strict=True))
        logged.append(float(loss))
    data = {"x": VECTORS, "y": CLASSES, "batch_size": 24, "shuffle": False}
    history = adversarial.fit(**data, epochs=3, verbose=0).history
    np.testing.assert_allclose(history["loss"], logged, rtol=1e-5)
    assert distance(weights_of(student), weights_of(adversarial.student)) < 1e-6


def test_an_attack_makes_the_loss_larger_and_leaves_the_student_alone():
    adversarial = METHODS["ARD"][0]()
    adversarial.compile("sgd", loss=cross_entropy())
    before = weights_of(adversarial)
    moved = adversarial.perturb(VECTORS, CLASSES)
    np.testing.assert_allclose(
        moved, attack_by_hand(adversarial.student, None, METHODS["ARD"][1], VECTORS), atol=1e-6
    )
    losses = [float(cross_entropy()(CLASSES, adversarial(x))) for x in (VECTORS, moved)]
    assert losses[1] > losses[0] + 0.01
    assert distance(before, weights_of(adversarial)) == 0


@pytest.mark.slow
def test_random_starts_resume(tmp_path):
    """As do the objectives of TRADES, from a file that says how they attack."""

    def fit(*callbacks):
        adversarial = METHODS["TRADES"][0]()
        adversarial.compile("adam", loss=cross_entropy())
        adversarial.fit(VECTORS, CLASSES, batch_size=8, epochs=3, verbose=0, callbacks=[*callbacks])
        return weights_of(adversarial)

    with pytest.raises(Killed):
        fit(kd.FullState(tmp_path / "state.npz", save_freq=1), Bomb(1, 1))
    resumed = fit(kd.FullState(tmp_path / "state.npz", save_freq=1))
    assert distance(fit(), resumed) < 1e-6


@pytest.mark.parametrize(
    ("options", "loss", "x", "message"),
    [
        ({}, cross_entropy, 255 * VECTORS, "value_range says 0 to 1"),
        ({}, lambda: None, VECTORS, "attacks the loss given to `compile`"),
        ({"maximize": "objectives"}, cross_entropy, VECTORS - 0.5, "value_range says 0 to 1"),
    ],
)
def test_refused_before_training(options, loss, x, message):
    adversarial = kd.Adversarial(normed(), teacher(), **{**BOX, **options})
    adversarial.compile("sgd", loss=loss())
    check_refused(adversarial, message, x=x, y=CLASSES)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epsilon": 8}, "value_range=\\(0, 255\\) and epsilon=8"),
        ({"maximize": "label"}, "'labels' or 'objectives'. Received: 'label'. Did you mean"),
        (
            {"objectives": [kd.Objective("mse", from_student=True)], "maximize": "objectives"},
            "the gradient is zero",
        ),
        ({"clean_objectives": ["soft_targets"]}, "'soft_targets' is taken"),
    ],
)
def test_refused_when_it_is_made(options, message):
    with pytest.raises(ValueError, match=message):
        kd.Adversarial(normed(), teacher(), **{**BOX, **options})
