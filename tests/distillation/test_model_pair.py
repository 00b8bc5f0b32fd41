"""A student and its teacher, each on its part of the data."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_kd.distillation.model_pair import ModelPair
from keras_kd.signals.taps import Taps
from tests.distillation.conftest import VECTORS, perceptron


def test_each_model_takes_its_part_of_the_data():
    student, teacher = perceptron(4), perceptron(8)
    x = {"small": VECTORS, "large": 3 * VECTORS}
    pair = ModelPair(student, student, teacher, lambda x: x["large"] / 2, "small")
    np.testing.assert_array_equal(pair.take_inputs(x), VECTORS)
    taps = Taps(teacher, ["hidden"])
    signals = tf.function(lambda x: taps.signals(*pair.record_teacher(taps, x)), autograph=False)(x)
    np.testing.assert_allclose(signals["hidden"], teacher.get_layer("hidden")(1.5 * VECTORS), rtol=1e-5)


@pytest.mark.slow
def test_a_teacher_with_a_state_is_put_back_and_can_carry_on_and_start_anew():
    inputs = keras.Input(batch_shape=(8, 4, 1))
    states = keras.layers.SimpleRNN(2, stateful=True, name="rnn")
    teacher = keras.Model(inputs, states(inputs))
    pair, x = ModelPair(perceptron(4), perceptron(4), teacher), np.ones((8, 4, 1), "float32")
    taps = Taps(teacher, ["rnn"])

    def run(carry):
        traced = tf.function(lambda x: pair.record_teacher(taps, x, carry=carry)[0], autograph=False)
        return np.asarray(traced(x))

    alone = run(carry=False)
    first, second = run(carry=True), run(carry=True)
    np.testing.assert_allclose(first, alone, rtol=1e-6)
    assert not np.allclose(second, first)
    assert np.all(np.asarray(states.states[0]) == 0)
    pair.restart_teacher()
    np.testing.assert_allclose(run(carry=True), alone, rtol=1e-6)


def test_the_inputs_are_known_from_the_student_or_else_the_teacher():
    student, teacher = perceptron(4), perceptron(8)
    assert ModelPair(student, student).find_input_spec().shape == (None, VECTORS.shape[1])

    class Told(keras.Model):
        def __init__(self):
            super().__init__()
            self.inner = keras.layers.Dense(3)

        def call(self, x):
            return self.inner(x)

    untold = Told()
    assert ModelPair(untold, untold, teacher).find_input_spec() is None  # it is not built
    ModelPair(untold, untold, teacher).build(tf.TensorSpec((None, VECTORS.shape[1])))
    assert ModelPair(untold, untold, teacher).find_input_spec().shape == (None, VECTORS.shape[1])
    assert ModelPair(untold, untold, teacher, student_inputs="a").find_input_spec() is None
