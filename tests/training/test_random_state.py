import random

import keras
import numpy as np

from keras_kd.training.random_state import read_random_state, restore_random_state
from keras_kd.training.state_file import is_storable


def draw():
    return random.random(), random.gauss(0, 1), np.random.normal(), float(keras.random.uniform(()))  # noqa: NPY002


def test_what_is_drawn_after_the_state_was_restored_is_what_was_drawn_before():
    draw()  # leaves the second number of a Gaussian pair waiting
    state = read_random_state()
    expected = draw()
    assert draw() != expected
    restore_random_state(state)
    assert draw() == expected
    assert is_storable(state)
