"""Whether a teacher's signals that come with the data are logits or probabilities."""

import keras
import numpy as np
import pytest

import keras_kd as kd
from keras_kd.distillation.known_signals import Signals, check_recognized, recognize_cached_signals
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


def test_signals_read_by_an_objective_are_those_of_its_taps():
    signal = GIVEN["output"]
    signals = Signals(
        {"a": signal, "b": signal}, {"a": signal, "c": signal}, {"labels": signal, "input": signal}
    )
    objective = kd.Objective("decoupled_kd", student="b", teacher=("c", "labels"))
    assert signals.read_by(objective) == Signals({"b": signal}, {"c": signal}, {"labels": signal})
    assert Signals({"b": signal}, {"c": signal}).read_by(objective).data == {}
