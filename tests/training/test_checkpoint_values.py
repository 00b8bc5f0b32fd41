"""A checkpoint is checked before any of it is used."""

import numpy as np
import pytest

from keras_kd.training.checkpoint_values import KEYS, check_position, check_values
from keras_kd.training.random_state import read_random_state


def values(**changes):
    random = read_random_state()
    return {
        "epoch": 2,
        "batch": 3,
        "first": 0,
        "optimizer": "Adam",
        "epoch_random": random,
        "stopped": False,
        "weights": [np.ones(2)],
        "metrics": [],
        "random": random,
        "callbacks": [["History", {"epoch": [0, 1]}]],
    } | changes


def test_what_was_written_is_accepted():
    assert set(KEYS) == values().keys()
    check_values("state.npz", values())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *[(key, value) for key in ("epoch", "batch", "first") for value in (-1, 1.5, "2", None, True)],
        *[("weights", value) for value in (None, 3, [1.0], {"a": np.ones(1)}, [np.array(["text"])])],
        *[("callbacks", value) for value in ([3], [["History"]], [[1, {}]], [["History", {3: 1}]], {})],
        *[("random", value) for value in (None, {}, {"keras": 1, "numpy": [], "python": []}, [1])],
        ("random", read_random_state() | {"python": [3, [1], None]}),
        ("epoch_random", read_random_state() | {"numpy": ["MT19937", np.zeros(3, "uint32"), 1, 0, 0.0]}),
        ("epoch_random", read_random_state() | {"keras": np.zeros(7)}),
        ("stopped", 1),
        ("optimizer", None),
    ],
)
def test_values_that_were_never_written_are_named(key, value):
    with pytest.raises(ValueError, match=rf"state\.npz is not a checkpoint .* no usable '{key}'\. Delete it"):
        check_values("state.npz", values(**{key: value}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"epoch": 5},
            r"state\.npz was saved after 5 epochs, but this `fit` ends after 4: pass epochs=5 or more",
        ),
        ({"epoch": 10**12}, "pass epochs=1000000000000 or more"),
        ({"first": 3}, "in epoch 3 of a training that began with epoch 4"),
        ({"batch": 9}, "after 9 batches of an epoch, but an epoch has 8: pass the same data"),
    ],
)
def test_a_place_outside_of_the_training_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        check_position("state.npz", values(**changes), epochs=4, steps=8)


def test_a_place_within_the_training_is_accepted():
    check_position("state.npz", values(epoch=4, batch=8), epochs=4, steps=8)
    check_position("state.npz", values(batch=9), epochs=4, steps=None)
    check_position("state.npz", values(batch=9), epochs=4, steps=8, together=3)  # as Keras counts
