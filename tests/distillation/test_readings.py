"""The signals that a loss reads from one model, one or several."""

import keras
import numpy as np
import pytest

import keras_kd as kd
from keras_kd.distillation.readings import Reading
from tests.signals.models import TOKENS, recurrent


def test_a_tap_of_several_tensors_stands_for_all_of_them_if_the_loss_takes_as_many():
    reading = Reading(("lstm", "head"), 4)
    assert reading.taps == ("lstm", "head")
    assert reading.expand("lstm", ["lstm/0", "lstm/1", "lstm/2"])
    assert reading.taps == ("lstm/0", "lstm/1", "lstm/2", "head")
    assert not reading.expand("head", ["head/a", "head/b"])
    reading.collapse()
    assert reading.arranged([1, 2]) == (1, 2)
    assert Reading("lstm", 1).arranged([1]) == 1
    assert Reading(("lstm",), 1).arranged([1]) == (1,)


def states(teacher, student):
    return sum(keras.ops.mean((t - s) ** 2, -1) for t, s in zip(teacher[1:], student[1:], strict=True))


class Unmasked(keras.Model):
    """Returns what an LSTM does, and knows nothing of padding."""

    def __init__(self, units):
        super().__init__()
        self.lstm = keras.layers.LSTM(units, return_sequences=True, return_state=True)
        self.head = keras.layers.Dense(3)

    def call(self, x):
        return self.head(self.lstm(x)[0])


def test_an_objective_reads_the_tuple_as_a_whole():
    x = np.random.default_rng(0).normal(size=(4, 3, 2)).astype("float32")
    teacher, student = Unmasked(5), Unmasked(5)
    teacher(x), student(x)
    objective = kd.Objective(states, student="lstm", teacher="lstm", name="states")
    distiller = kd.Distiller(student, teacher, [objective, kd.losses.LogitsMSE()])
    distiller.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    (_, *of_teacher), (_, *of_student) = teacher.lstm(x), student.lstm(x)
    wanted = sum(np.mean((t.numpy() - s.numpy()) ** 2) for t, s in zip(of_teacher, of_student, strict=True))
    logs = distiller.train_on_batch(x, return_dict=True)
    np.testing.assert_allclose(logs["states"], wanted, rtol=1e-5)
    assert objective.get_config()["student"] == "lstm"


def test_a_loss_that_takes_no_tuple_says_which_signals_there_are():
    objective = kd.Objective("mse", student="lstm", teacher="lstm/0")
    with pytest.raises(ValueError, match=r"'lstm' .* returns 3 tensors.*takes no tuple.*'lstm/0', 'lstm/1'"):
        kd.Distiller(recurrent(), recurrent(), [objective])


def test_signals_of_the_data_that_are_elements_are_named():
    student = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    distiller = kd.Distiller(student, None, [kd.Objective("mse", teacher="lstm")])
    distiller.compile("sgd")
    signals = {"lstm/0": np.ones((2, 3)), "lstm/1": np.ones((2, 3))}
    with pytest.raises(ValueError, match=r"For several of them: teacher=\('lstm/0', 'lstm/1'\)"):
        distiller.fit(kd.Taught(np.ones((2, 4)), signals), verbose=0)


@pytest.mark.slow
def test_the_padding_of_an_element_is_left_out():
    objective = kd.Objective("mse", student="lstm/0", teacher="lstm/0")
    teacher, student = recurrent(), recurrent()
    distiller = kd.Distiller(student, teacher, [objective, kd.losses.SoftTargets()])
    distiller.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    logs = distiller.train_on_batch(TOKENS, return_dict=True)
    outputs = [
        keras.Model(m.input, m.get_layer("lstm").output[0])(TOKENS).numpy() for m in (teacher, student)
    ]
    errors = np.mean((outputs[0] - outputs[1]) ** 2, -1)
    counted = (TOKENS > 0).astype("float64")
    np.testing.assert_allclose(
        logs["mse_lstm_0"], np.mean((errors * counted).sum(1) / counted.sum(1)), rtol=1e-5
    )
