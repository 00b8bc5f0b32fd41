"""A teacher may suppress classes by logits of minus infinity, where the objective can take it."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_kd as kd
from keras_kd.distillation.suppressed_classes import (
    check_suppressed,
    suppressing_tap,
    without_nan,
    without_suppression,
)
from keras_kd.distillation.tapped import Tapped
from tests.distillation.conftest import cross_entropy, one_step, predictions
from tests.selection import rest_slow

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(8, 4)).astype("float32")
Y = RANDOM.integers(0, 3, 8)  # of the five classes, the last two may be suppressed
SUPPRESSED = np.array([0, 0, 0, 1, 1], "float32")


def model(width, low=None, activation=None):
    """Five classes, of which the last two get the logit `low`."""
    inputs = keras.Input((4,))
    x = keras.layers.Dense(5)(keras.layers.Dense(width, activation="tanh")(inputs))
    if low is not None:
        x = keras.ops.where(SUPPRESSED > 0, keras.ops.cast(low, x.dtype), x)
    return keras.Model(inputs, keras.layers.Activation(activation)(x) if activation else x, name="big")


def divergence(teacher, student, temperature):
    """`T^2 KL` over the classes that the teacher does not suppress."""
    logits = [predictions(m, X).astype("float64") / temperature for m in (teacher, student)]
    exps = [np.exp(z - z.max(-1, keepdims=True)) for z in logits]
    p, q = (e / e.sum(-1, keepdims=True) for e in exps)
    p, q = p[:, :3], q[:, :3]
    return temperature**2 * (p * np.log(p / q)).sum(-1).mean()


LOW = {"infinite": -np.inf, "1e9": -1e9, "float16": -65504.0, "float32": np.finfo("float32").min}


# By whom, and how low.
SUPPRESSING = {
    f"{'both' if both else 'the teacher'}, {name}": (low, both)
    for name, low in LOW.items()
    for both in (True, False)
}


@pytest.mark.parametrize(
    ("low", "both"),
    rest_slow(SUPPRESSING, "the teacher, infinite", "the teacher, 1e9"),
)
def test_suppressed_classes_do_not_count(low, both):
    teacher, student = model(6, low), model(3, low if both else None)
    distiller = kd.Distiller(student, teacher, temperature=4.0, alpha=0.5)
    expected = divergence(teacher, student, 4.0)
    eager = both or low != -np.inf
    distiller.compile(keras.optimizers.SGD(0.1), loss=cross_entropy(), run_eagerly=eager)
    logs = distiller.fit(X, Y, epochs=2, batch_size=8, verbose=0).history
    np.testing.assert_allclose(logs["soft_targets"][0], expected, rtol=1e-5)
    assert logs["loss"][1] < logs["loss"][0]
    assert all(np.isfinite(weight).all() for weight in student.get_weights())


def test_a_softmax_over_suppressed_classes():
    teacher, student = model(6, -np.inf, "softmax"), model(3, activation="softmax")
    logits = [keras.Model(m.input, m.layers[-1].input) for m in (teacher, student)]
    logs = one_step(kd.Distiller(student, teacher, temperature=4.0, alpha=0.0), X)
    np.testing.assert_allclose(logs["soft_targets"], divergence(*logits, 4.0), rtol=1e-5)


class Lost(keras.Model):
    """Ends in a softmax of which Keras keeps no logits."""

    def __init__(self, logits):
        super().__init__(name="lost")
        self.logits, self.built = logits, True

    def call(self, x):
        return tf.nn.softmax(self.logits(x))


@pytest.mark.parametrize("taught", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_probability_of_zero_is_a_suppressed_class_at_any_temperature(taught):
    teacher, student = model(6, -np.inf), model(3)
    expected = divergence(teacher, student, 20.0)
    probabilities = np.asarray(tf.nn.softmax(teacher(X)))
    of_teacher = None if taught else Lost(teacher)
    distiller = kd.Distiller(student, of_teacher, temperature=20.0, alpha=0.0)
    distiller.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
    x = kd.Taught(X, {"output": probabilities}) if taught else X
    logs = distiller.fit(x, batch_size=8, epochs=2, verbose=0).history
    np.testing.assert_allclose(logs["soft_targets"][0], expected, rtol=1e-5)
    assert logs["loss"][1] < logs["loss"][0]
    assert all(np.isfinite(weight).all() for weight in student.get_weights())


@pytest.mark.parametrize("loss", ["logits_mse", kd.losses.JensenShannon(beta=1.0)])
def test_losses_that_take_no_infinity_read_a_probability_of_zero_as_a_low_logit(loss):
    distiller = kd.Distiller(model(3), Lost(model(6, -np.inf)), [loss])
    assert np.isfinite(one_step(distiller, X)["loss"])


def test_signals_of_the_data_may_suppress_classes():
    teacher, student = model(6, -np.inf), model(3)
    taught = kd.Taught(X, {"output": predictions(teacher, X)})
    distiller = kd.Distiller(student, temperature=2.0, alpha=0.0)
    distiller.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    logs = distiller.fit(taught, batch_size=8, verbose=0).history
    np.testing.assert_allclose(logs["soft_targets"][0], divergence(teacher, student, 2.0), rtol=1e-5)


@pytest.mark.parametrize("loss", ["mse", "logits_mse", kd.losses.SoftTargets(standardize=True)])
@pytest.mark.parametrize("both", [pytest.param(True, marks=pytest.mark.slow), False])
def test_losses_that_cannot_take_it_say_so_before_training(loss, both):
    student = model(3, -np.inf if both else None)
    before = student.get_weights()
    distiller = kd.Distiller(student, model(6, -np.inf), [loss])
    distiller.compile(keras.optimizers.SGD(0.1), loss=cross_entropy())
    with pytest.raises(
        ValueError, match=r"gives (nan|inf) on the first batch.*'output' contains minus infinity"
    ):
        distiller.fit(X, Y, verbose=0)
    for now, then in zip(student.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_the_reverse_divergence_needs_a_student_that_suppresses_the_same_classes():
    reverse = kd.losses.JensenShannon(beta=1.0)
    with pytest.raises(ValueError, match=r"gives inf on the first batch.*let the student suppress the same"):
        one_step(kd.Distiller(model(3), model(6, -np.inf), [reverse]), X)
    assert np.isfinite(one_step(kd.Distiller(model(3, -np.inf), model(6, -np.inf), [reverse]), X)["loss"])


@pytest.mark.parametrize("low", [np.nan, np.inf])
def test_other_numbers_that_are_not_finite_are_refused(low):
    distiller = kd.Distiller(model(3), model(6, low))
    with pytest.raises(ValueError, match="The teacher 'big': 'output' holds NaN or infinity"):
        one_step(distiller, X, Y, loss=cross_entropy())


def test_the_advice_to_make_logits_finite():
    teacher = model(6, -np.inf)
    finite = keras.Model(teacher.input, keras.ops.maximum(teacher.output, -1e4))
    assert np.isfinite(one_step(kd.Distiller(model(3), finite, ["mse"]), X)["loss"])


def test_suppressing_tap_finds_the_logits_behind_probabilities():
    raw = {"a": tf.constant([[0.5, 0.5]]), "b": tf.constant([[1.0, 0.0]])}
    assert suppressing_tap(Tapped(raw, raw, {})) is None
    assert suppressing_tap(Tapped(raw, raw | {"b": tf.constant([[0.0, -np.inf]])}, {})) == "b"
    assert suppressing_tap(Tapped({"ids": tf.constant([1])}, {"ids": tf.constant([1])}, {})) is None


def test_check_suppressed_looks_at_the_gradient_too():
    signal = {"output": tf.constant([[0.0, 1.0]])}
    suppressed = {"output": tf.constant([[0.0, -np.inf]])}
    student, teacher = (Tapped(given, given, {}) for given in (signal, suppressed))
    objective = kd.Objective("mse")

    def compute(of_student, of_teacher):
        of_both = of_student.raw["output"] * tf.exp(of_teacher.raw["output"])
        return tf.reduce_sum(tf.sqrt(of_both))

    check_suppressed(objective, "output", student, teacher, lambda s, t: tf.reduce_sum(s.raw["output"]))
    check_suppressed(objective, "output", student, student, compute)  # it is not the teacher's doing
    ones = Tapped({"output": tf.ones((1, 2))}, {}, {})
    with pytest.raises(
        ValueError,
        match=r"'mse' gives 1.0 on batch 7, or a gradient that is not finite: the teacher's 'output'",
    ):
        check_suppressed(objective, "output", ones, teacher, compute, "batch 7")


def test_without_nan_gives_a_ruined_student_numbers_and_keeps_what_it_suppresses():
    ruined = tf.constant([[np.nan, 2.0, -np.inf, np.inf]])
    filled = without_nan(Tapped({"a": ruined}, {"a": ruined}, {"a": tf.constant([True])}))
    (values,) = filled.raw["a"].numpy()
    assert np.isfinite(values[[0, 3]]).all()
    assert list(values[1:3]) == [2.0, -np.inf]
    assert bool(filled.masks["a"])


def test_without_suppression_leaves_nothing_infinite():
    values = tf.constant([[1.0, -np.inf]])
    lifted = without_suppression(Tapped({"a": values, "ids": tf.constant([1])}, {"a": values}, {}))
    np.testing.assert_array_equal(lifted.logits["a"], [[1.0, -9.0]])
    np.testing.assert_array_equal(lifted.raw["ids"], [1])


LATE = RANDOM.normal(size=(32, 4)).clip(-2, 2).astype("float32")
LATE[20, 0] = 3  # in the third batch of four


def suppressing_late():
    """Suppresses the first class of the one sample whose first number is above 2."""
    inputs = keras.Input((4,))
    low = keras.ops.where(inputs[:, :1] > 2.0, np.array([-np.inf, 0, 0], "float32"), 0.0)
    return keras.Model(inputs, keras.layers.Dense(3)(inputs) + low, name="late")


def narrow():
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])


@pytest.mark.parametrize("taught", [pytest.param(False, marks=pytest.mark.slow), True])
def test_a_class_that_is_suppressed_in_a_later_batch(taught):
    teacher = suppressing_late()
    x = kd.Taught(LATE, {"output": predictions(teacher, LATE).astype("float32")}) if taught else LATE
    distiller = kd.Distiller(narrow(), None if taught else teacher, [kd.losses.SoftTargets(), "logits_mse"])
    distiller.compile("sgd", run_eagerly=True)
    with pytest.warns(
        UserWarning, match="epoch 1.* Objective 'logits_mse' gives inf on a batch of the data, or"
    ):
        distiller.fit(tf.data.Dataset.from_tensor_slices((x, LATE[:, 0])).batch(8), epochs=2, verbose=0)


@pytest.mark.slow
def test_a_student_that_diverges_beside_suppressed_classes():
    """Its NaN is not the doing of an objective that takes them."""

    class Ruin(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            student.layers[0].bias.assign([np.nan, 0, 0])

    student = narrow()
    distiller = kd.Distiller(student, suppressing_late(), [kd.losses.SoftTargets()])
    distiller.compile("sgd", run_eagerly=True)
    with pytest.warns(UserWarning, match="in 4 batches of the data: the student diverged"):
        distiller.fit(LATE, batch_size=8, shuffle=False, verbose=0, callbacks=[Ruin()])
