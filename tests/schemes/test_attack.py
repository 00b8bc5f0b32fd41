"""Projected gradient descent is a loop in NumPy, and stays in its box and in the range of the data."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_kd.schemes.attack import Attack

RANDOM = np.random.default_rng(0)
X = RANDOM.random((6, 4)).astype("float32")
TARGET = RANDOM.random((6, 4)).astype("float32")


def loss(moved):
    """Grows away from a target, by a power that lets its gradient change its sign."""
    return tf.reduce_sum(tf.sin(7 * (moved - TARGET)))


def by_hand(attack, x, start):
    low, high = attack.value_range

    def clip(moved):
        return np.clip(np.clip(moved, x - attack.epsilon, x + attack.epsilon), low, high)

    moved = clip(start)
    for _ in range(attack.steps):
        gradient = 7 * np.cos(7 * (moved - TARGET))
        moved = clip(moved + attack.step_size * np.sign(gradient))
    return moved


@settings(max_examples=20, deadline=None)
@given(
    epsilon=st.floats(0.01, 0.5),
    step_size=st.floats(0.005, 0.3),
    steps=st.integers(1, 6),
    away=st.floats(-1, 1),
    low=st.floats(-0.5, 0.0),
)
def test_is_a_loop_in_numpy(epsilon, step_size, steps, away, low):
    attack = Attack(epsilon, step_size, steps, (low, 1.0))
    found = attack.perturb(tf.constant(X), tf.constant(X + np.float32(away)), loss).numpy()
    np.testing.assert_allclose(found, by_hand(attack, X, X + np.float32(away)), atol=1e-5)
    assert np.abs(found - X).max() <= epsilon + 1e-6
    assert found.min() >= low - 1e-6
    assert found.max() <= 1 + 1e-6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((8, 2 / 255, 10, (0, 1)), r"`epsilon` is above 0 and at most .* 1. Received: 8"),
        ((0.1, 0, 10, (0, 1)), "`step_size` is above 0"),
        ((0.1, 0.1, 0, (0, 1)), "`steps` is a whole number"),
        ((0.1, 0.1, 1.5, (0, 1)), "`steps` is a whole number"),
        ((0.1, 0.1, 1, (1, 0)), "`value_range` is the lowest and the highest"),
        ((0.1, 0.1, 1, (0, float("nan"))), "`value_range` is the lowest and the highest"),
    ],
)
def test_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Attack(*arguments)


def test_data_outside_the_range_is_refused():
    attack = Attack(0.1, 0.1, 1, (0, 1))
    attack.check(tf.constant(X))
    with pytest.raises(ValueError, match=r"reaches from 0 to 255, and value_range says 0 to 1"):
        attack.check(tf.constant([0.0, 255.0]))
    for inputs in (tf.constant([1, 2]), {"image": tf.constant(X)}):
        with pytest.raises(ValueError, match="one tensor of floating-point numbers"):
            attack.check(inputs)
