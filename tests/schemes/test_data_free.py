"""Data-free distillation is a step of a generator and one of a student, written by hand."""

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

layers = keras.layers


def generator(made=4):
    keras.utils.set_random_seed(2)
    return keras.Sequential(
        [
            keras.Input((8,)),
            layers.Dense(6, use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Dense(made, "sigmoid"),
        ],
        name="generator",
    )


def models(activation=None):
    keras.utils.set_random_seed(0)
    return perceptron(5, "student"), perceptron(9, "teacher", activation)


def made(activation=None, **options):
    return kd.DataFree(*models(activation), generator(), **{"feature": "hidden", **options})


def by_hand(steps):
    """Two optimizers, and a teacher through which the generator's gradient flows."""
    (student, teacher), maker = models(), generator()
    hidden = keras.Model(teacher.input, [teacher.output, teacher.get_layer("hidden").output])
    ours, theirs = keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1)
    for codes in kd.random_codes(8, batch_size=16).take(steps):
        with tf.GradientTape() as tape:
            images = maker(codes, training=True)
            logits, features = hidden(images)
            log_p = tf.nn.log_softmax(logits)
            mean = tf.reduce_mean(tf.exp(log_p), 0)
            entropy = tf.reduce_sum(mean * tf.math.log(mean)) / np.log(10)
            pleased = -tf.reduce_mean(tf.reduce_max(log_p, -1)) + 5 * entropy
            pleased -= 0.1 * tf.reduce_mean(tf.abs(features))
        gradients = tape.gradient(pleased, maker.trainable_weights)
        with tf.GradientTape() as tape:
            target = tf.nn.log_softmax(logits)
            answer = tf.nn.log_softmax(student(images, training=True))
            loss = tf.reduce_mean(tf.reduce_sum(tf.exp(target) * (target - answer), -1))
        ours.apply_gradients(
            zip(tape.gradient(loss, student.trainable_weights), student.trainable_weights, strict=True)
        )
        theirs.apply_gradients(zip(gradients, maker.trainable_weights, strict=True))
    return student, maker, float(pleased), float(loss)


@pytest.mark.parametrize("activation", [pytest.param(None, marks=pytest.mark.slow), "softmax"])
def test_is_two_steps_written_by_hand(activation):
    """A teacher that ends in a softmax is read before it."""
    data_free = made(activation)
    data_free.compile(keras.optimizers.SGD(0.1), run_eagerly=activation is not None)
    before = weights_of(data_free.teacher)
    history = data_free.fit(kd.random_codes(8, batch_size=16), steps_per_epoch=1, epochs=3, verbose=0).history
    student, maker, pleased, loss = by_hand(3)
    assert distance(weights_of(student), weights_of(data_free.student)) < 1e-6
    assert distance(weights_of(maker), weights_of(data_free.generator)) < 1e-6
    assert history["generator_loss"][-1] == pytest.approx(pleased, abs=1e-5)
    assert history["loss"][-1] == pytest.approx(loss, abs=1e-6)
    assert distance(before, weights_of(data_free.teacher)) == 0


def test_the_student_is_judged_on_real_data(tmp_path):
    data_free = made()
    data_free.compile("sgd", loss=cross_entropy(), metrics=["accuracy"], run_eagerly=True)
    data = {"steps_per_epoch": 2, "validation_data": (VECTORS, CLASSES), "verbose": 0}
    history = data_free.fit(kd.random_codes(8, batch_size=16), **data).history
    assert sorted(history) == ["generator_loss", "loss", "soft_targets", "val_accuracy", "val_loss"]
    right = np.argmax(data_free.predict(VECTORS, verbose=0), -1) == CLASSES
    assert history["val_accuracy"][0] == pytest.approx(right.mean())
    data_free.save(tmp_path / "free.keras")
    loaded = keras.models.load_model(tmp_path / "free.keras")
    assert distance(weights_of(loaded.generator), weights_of(data_free.generator)) == 0
    with pytest.raises(ValueError, match="This Distiller has no teacher"):
        loaded.fit(kd.random_codes(8, batch_size=16), steps_per_epoch=1, verbose=0)


def test_generators_meet_the_statistics_of_the_teacher():
    """Its inputs had the mean 0.8, which a generator begins without."""
    norm = layers.BatchNormalization()
    teacher = keras.Sequential([keras.Input((4,)), norm, layers.Dense(3)])
    norm.moving_mean.assign(np.full(4, 0.8))
    norm.moving_variance.assign(np.full(4, 0.01))
    weights = {"one_hot": 0.0, "entropy": 0.0, "statistics": 1.0}
    data_free = kd.DataFree(models()[0], teacher, generator(), **weights)
    assert data_free.get_config()["statistics"] == 1.0
    data_free.compile(keras.optimizers.Adam(0.1))
    codes = kd.random_codes(8, batch_size=16)
    history = data_free.fit(codes, steps_per_epoch=20, epochs=2, verbose=0).history
    assert history["generator_loss"][1] < 0.3 * history["generator_loss"][0]
    assert np.abs(np.mean(data_free.generator(next(iter(codes)))) - 0.8) < 0.1


def test_codes_of_another_shape_are_refused():
    data_free = made()
    data_free.compile("sgd")
    check_refused(data_free, r"takes codes \(None, 8\), and the data has \(None, 4\)", x=VECTORS)


def subclassed():
    class Maker(keras.Model):
        def call(self, codes):
            return codes

    return Maker()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: kd.DataFree(*models(), generator(5)),
            r"makes \(None, 5\), which the student .* \(None, 4\)",
        ),
        (
            lambda: kd.DataFree(
                models()[0], keras.Sequential([keras.Input((6,)), layers.Dense(3)]), generator()
            ),
            r"makes \(None, 4\), which the teacher .* \(None, 6\)",
        ),
        (lambda: kd.DataFree(*models(), subclassed()), "is a functional or sequential model"),
        (lambda: made(feature="hiden"), "No tap 'hiden' in model 'teacher'"),
        (lambda: made(statistics=1.0), "BatchNorms, of which the teacher 'teacher' has none"),
    ],
)
def test_refused_when_it_is_made(make, message):
    with pytest.raises(ValueError, match=message):
        make()
