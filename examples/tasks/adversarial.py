"""Digits under attack: does a teacher help where TRADES needs none? Both at the same clean accuracy.

Run: python examples/tasks/adversarial.py [--short] [--seeds N] [--out FOLDER]

ARD (Goldblum et al. 2020, arXiv 1905.09747), RSLAD (Zi et al. 2021, arXiv 2108.07969) and, alone, TRADES
(Zhang et al. 2019, arXiv 1901.08573). All three trade clean for robust accuracy: what each has for that was
set on validation data, so that all three are right about as often where nothing is attacked. The teacher
was trained by TRADES, too. The judge is PGD-20 of adversarial-robustness-toolbox, not our own attack.
On validation data (one seed) the teacher brought nothing: with 95.0 % of clean digits right, TRADES had
72.2 % under attack and RSLAD 71.7 %; ARD had 67.2 % at 95.6 %.
"""

import keras
import numpy as np
import tensorflow as tf
from parts.rows import Row, Trial, main

import keras_kd as kd

CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
SIZE = 0.15  # of an attack, on pixels from 0 to 1
BOX = {"epsilon": SIZE, "step_size": SIZE / 2, "steps": 3, "value_range": (0, 1)}
TRADES, ARD, RSLAD = 6.0, 0.0, 1 / 6  # what sets the balance of each


class Divergence(kd.losses.SignalLoss):
    """The divergence of TRADES, whose gradient flows through the clean answer, too."""

    reads_logits = True

    def call(self, clean, attacked):
        clean, attacked = keras.ops.log_softmax(clean), keras.ops.log_softmax(attacked)
        return keras.ops.sum(keras.ops.exp(clean) * (clean - attacked), axis=-1)


def trades(student, beta=TRADES):
    terms = [kd.Objective(Divergence(), from_student=True, weight=beta)]
    return kd.Adversarial(student, None, terms, maximize="objectives", **BOX)


def ard(student, teacher, alpha=ARD):
    return kd.Adversarial(student, teacher, temperature=4.0, alpha=alpha, **BOX)


def rslad(student, teacher, clean=RSLAD):
    soft = kd.losses.SoftTargets(1.0)
    attacked = [kd.Objective(soft, weight=1 - clean)]
    clean = [kd.Objective(soft, weight=clean, name="clean")]
    return kd.Adversarial(student, teacher, attacked, clean, maximize="objectives", name="rslad", **BOX)


def trial(seed, place):
    data = kd.datasets.digits()
    (x, y, _), (x_test, y_test) = data.arrays["train"], data.arrays["test"][:2]
    attack = own_attack if place.short else toolbox()

    def teacher():
        model = kd.models.digits_teacher()
        fit(trades(model), x, y, 1 if place.short else 15)
        return model

    def student(scheme, *teacher):
        keras.utils.set_random_seed(seed)
        model = kd.models.digits_student()
        fit(scheme(model, *teacher), x, y, 1 if place.short else 30)
        return model

    keras.utils.set_random_seed(seed)
    teacher = place.model(f"teacher{seed}", teacher)
    models = {"teacher": teacher, "alone": student(trades), "distilled": student(rslad, teacher)}
    models["ARD"] = student(ard, teacher)
    attacked = {name: attack(model, x_test, y_test) for name, model in models.items()}
    scores = {name: accuracy(model, attacked[name], y_test) for name, model in models.items()}
    for name in models:
        scores[f"clean: {name}"] = accuracy(models[name], x_test, y_test)
    distilled = models["distilled"]
    return Trial(scores, distilled, teacher.count_params(), (attacked["distilled"], y_test), x[:200])


def fit(scheme, x, y, epochs):
    decay = keras.optimizers.schedules.CosineDecay(5e-3, epochs * -(-len(x) // 64))
    scheme.compile(keras.optimizers.Adam(decay), None if scheme.name == "rslad" else CROSS_ENTROPY)
    scheme.fit(x, y, batch_size=64, epochs=epochs, verbose=0)


def toolbox():
    """The attack of adversarial-robustness-toolbox."""
    try:
        from art.attacks.evasion import ProjectedGradientDescent
        from art.estimators.classification import TensorFlowV2Classifier
    except ImportError:
        raise SystemExit(
            "The judge is not ours: pip install adversarial-robustness-toolbox. --short runs without it."
        ) from None

    def attack(model, x, y):
        loss = keras.losses.CategoricalCrossentropy(from_logits=True)
        judged = TensorFlowV2Classifier(model, 10, x.shape[1:], loss, clip_values=(0, 1))
        pgd = ProjectedGradientDescent(
            judged,
            eps=SIZE,
            eps_step=SIZE / 8,
            max_iter=20,
            num_random_init=1,
            batch_size=len(x),
            verbose=False,
        )
        return pgd.generate(x, np.eye(10, dtype="float32")[y])

    return attack


def own_attack(model, x, y, steps=5):
    """Projected gradient descent, in short."""
    moved = tf.constant(x)
    for _ in range(steps):
        with tf.GradientTape() as tape:
            tape.watch(moved)
            loss = CROSS_ENTROPY(y, model(moved, training=False))
        moved = moved + SIZE / 2 * tf.sign(tape.gradient(loss, moved))
        moved = tf.clip_by_value(tf.clip_by_value(moved, x - SIZE, x + SIZE), 0, 1)
    return moved.numpy()


def accuracy(model, x, y):
    return np.mean(np.argmax(model.predict(x, verbose=0), -1) == y)


ROWS = [Row("adversarial", "digits", "accuracy under PGD-20, %", trial, 5)]

if __name__ == "__main__":
    main(ROWS, __doc__)
