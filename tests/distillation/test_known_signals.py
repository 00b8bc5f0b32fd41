"""Whether a teacher's signals that come with the data are logits or probabilities."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_kd as kd
from keras_kd.distillation.known_signals import (
    Signals,
    check_range,
    check_recognized,
    doubt,
    nan_outside,
    recognize_cached_signals,
)
from keras_kd.signals.tracing import SignalSpec
from tests.distillation.conftest import cross_entropy, perceptron

X = np.random.default_rng(0).random((32, 4)).astype("float32")
Y = np.random.default_rng(1).integers(0, 3, 32)
LOGITS = 9 * X[:, :3] - 4
PROBABILITIES = np.asarray(keras.ops.softmax(LOGITS))


def taught(signal):
    return kd.Taught(X, {"output": signal})


def untaught_student(objectives=None, activation=None, **compiled):
    distiller = kd.Distiller(perceptron(4, activation=activation), objectives=objectives)
    distiller.compile("sgd", run_eagerly=True, **compiled)
    return distiller


@pytest.mark.slow
def test_logits_where_probabilities_are_read():
    distiller = untaught_student(["kl_divergence"], "softmax")
    with pytest.raises(ValueError, match="is not a probability"):
        distiller.fit(taught(LOGITS), verbose=0)
    distiller.teacher = None  # what was known of other signals is forgotten
    assert np.isfinite(distiller.fit(taught(PROBABILITIES), verbose=0).history["loss"]).all()


def test_another_kind_of_signals_is_refused():
    distiller = untaught_student(loss=cross_entropy())
    distiller.fit(taught(LOGITS), Y, verbose=0)
    with pytest.raises(ValueError, match="'output' held logits in an earlier `fit`, and seems"):
        distiller.fit(taught(PROBABILITIES), Y, verbose=0)
    with pytest.raises(ValueError, match="This Distiller has no teacher"):
        distiller.fit(X, Y, verbose=0)


def test_probabilities_in_a_single_batch():
    found = []
    for signal in (LOGITS, PROBABILITIES):
        keras.utils.set_random_seed(2)
        distiller = untaught_student(loss=cross_entropy())
        found.append(distiller.train_on_batch(taught(signal), Y, return_dict=True)["soft_targets"])
    assert found[0] == pytest.approx(found[1], rel=1e-5)


GIVEN = {"output": SignalSpec((None, 3), "float32", None, given=True)}


@pytest.mark.parametrize(
    ("loss", "values", "activation"),
    [
        ("soft_targets", LOGITS, None),
        ("soft_targets", PROBABILITIES, "softmax"),
        ("soft_targets", X[:, :3], None),  # logits may lie between 0 and 1 by chance
        ("binary_soft_targets", X[:, :3], "sigmoid"),
    ],
)
def test_recognize_cached_signals_returns_the_activation_that_values_show(loss, values, activation):
    found = recognize_cached_signals(GIVEN, [kd.Objective(loss)], {"output": values})
    assert found["output"] == GIVEN["output"]._replace(activation=activation, given=False)
    check_recognized(found, [kd.Objective(loss)])
    assert GIVEN["output"].given  # nothing was changed in passing


def test_signals_are_recognized_only_for_losses_to_which_it_matters():
    objectives = [kd.Objective("mse")]
    assert recognize_cached_signals(GIVEN, objectives, {"output": PROBABILITIES}) == GIVEN
    check_recognized(GIVEN, objectives)
    with pytest.raises(ValueError, match="is inferred from the first batch of `fit`"):
        check_recognized(GIVEN, [kd.Objective("soft_targets")])


def binary(z, student):
    """The divergence of one yes or no, in float64; `z` are the teacher's logits."""
    p, q = (1 / (1 + np.exp(-np.asarray(v, "float64"))) for v in (z, student))
    return (p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))).sum(-1).mean()


CHANCE = 3 * np.random.default_rng(5).normal(size=(32, 2)).astype("float32")
CHANCE[:4] = X[:4, :2]  # the first batch lies between 0 and 1


def binary_student(taught=None):
    student = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    distiller = kd.Distiller(student, objectives=[kd.Objective("binary_soft_targets", taught=taught)])
    distiller.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    return distiller


def in_batches(signal):
    return tf.data.Dataset.from_tensor_slices((taught(signal),)).batch(4)


def rows(signal):
    for i in range(0, 32, 4):
        yield (kd.Taught(X[i : i + 4], {"output": signal[i : i + 4]}),)


@pytest.mark.slow
def test_arrays_are_looked_at_in_full():
    distiller = binary_student()
    for signal, logits in ((CHANCE, CHANCE), (CHANCE[::-1], CHANCE[::-1])):
        loss = distiller.fit(taught(signal), batch_size=4, shuffle=False, verbose=0).history["loss"]
        assert loss == pytest.approx([binary(logits, distiller.student(X))], rel=1e-5)
    probabilities = 1 / (1 + np.exp(-CHANCE.astype("float64")))
    rounded = np.where(probabilities > 0.9, 1 + 1e-6, probabilities)  # as by interpolation
    distiller.teacher = None
    loss = distiller.fit(taught(rounded), batch_size=4, shuffle=False, verbose=0).history["loss"]
    assert np.isfinite(loss).all()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:`shuffle=True` was passed")
def test_a_later_batch_that_leaves_the_range_ends_the_training():
    with pytest.raises(
        ValueError, match=r"'output' was taken for probabilities.* another one reaches from -.* State"
    ):
        binary_student().fit(in_batches(CHANCE), epochs=2, verbose=0)
    with pytest.warns(UserWarning, match="or, as the teacher's 'output', logits that were taken for prob"):
        binary_student().fit(rows(CHANCE), steps_per_epoch=8, verbose=0)  # cannot be read again


@pytest.mark.slow
@pytest.mark.parametrize("data", [taught, in_batches])
def test_what_the_signals_are_can_be_stated(data):
    for stated, signal in (("logits", CHANCE), ("logits", X[:, :2]), ("sigmoid", 1 / (1 + np.exp(-CHANCE)))):
        distiller = binary_student(stated)
        logits = signal if stated == "logits" else CHANCE
        options = {} if data is in_batches else {"batch_size": 4, "shuffle": False}
        loss = distiller.fit(data(signal), verbose=0, **options).history["loss"]
        assert loss == pytest.approx([binary(logits, distiller.student(X))], rel=1e-4)


def test_a_tap_is_the_same_for_all_objectives_that_read_it():
    """Logits that lie between 0 and 1 by chance: of the two losses, one takes no sigmoid."""
    both = [kd.Objective("soft_targets"), kd.Objective("logits_mse")]
    for order in (both, both[::-1]):
        assert recognize_cached_signals(GIVEN, order, {"output": X[:, :3]})["output"].activation is None
    stated = [kd.Objective("soft_targets", taught="logits"), kd.Objective("logits_mse", taught="sigmoid")]
    with pytest.raises(ValueError, match="state that the teacher's 'output' holds logits and sigmoid"):
        recognize_cached_signals(GIVEN, stated, {"output": X[:, :3]})


def test_losses_of_probabilities_take_those_of_a_sigmoid():
    distiller = kd.Distiller(perceptron(4, activation="sigmoid"), objectives=["binary_crossentropy"])
    distiller.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    loss = distiller.fit(taught(X[:, :3]), verbose=0).history["loss"]
    q = np.asarray(distiller.student(X), "float64")
    expected = -(X[:, :3] * np.log(q) + (1 - X[:, :3]) * np.log(1 - q)).mean()
    assert loss == pytest.approx([expected], rel=1e-5)


def test_a_loop_of_ones_own_meets_logits_between_0_and_1_by_chance():
    distiller = binary_student()
    for part in (slice(4, 8), slice(0, 4)):
        found = distiller.compute_objectives(kd.Taught(X[part], {"output": CHANCE[part]}))
        assert float(found.loss) == pytest.approx(binary(CHANCE[part], distiller.student(X[part])), rel=1e-5)


def test_nan_outside_marks_what_is_no_probability():
    given = {
        "a": tf.constant([-0.5, 0.0, 1.0, 1.0000001, 1.5]),
        "b": tf.constant([7.0]),
        "c": tf.constant([1]),
    }
    sigmoid = GIVEN["output"]._replace(activation="sigmoid")
    found = nan_outside(given, {"a": sigmoid, "b": GIVEN["output"], "c": sigmoid})
    assert list(np.isnan(found["a"])) == [True, False, False, False, True]
    assert found["b"] is given["b"]
    assert found["c"] is given["c"]
    assert doubt({"b": GIVEN["output"]}) == ""
    check_range({"a": GIVEN["output"]}, given)


def test_signals_read_by_an_objective_are_those_of_its_taps():
    signal = GIVEN["output"]
    signals = Signals(
        {"a": signal, "b": signal}, {"a": signal, "c": signal}, {"labels": signal, "input": signal}
    )
    objective = kd.Objective("decoupled_kd", student="b", teacher=("c", "labels"))
    assert signals.read_by(objective) == Signals({"b": signal}, {"c": signal}, {"labels": signal})
    assert Signals({"b": signal}, {"c": signal}).read_by(objective).data == {}
