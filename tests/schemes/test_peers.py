"""Peers as one model: what its outputs, taps and labels are called, and what cannot be peers."""

import keras
import numpy as np
import pytest

from keras_kd.schemes.peers import Peers
from tests.distillation.cases import two_outputs
from tests.distillation.conftest import VECTORS, perceptron


class Subclassed(keras.Model):
    def __init__(self, name):
        super().__init__(name=name)
        self.head = keras.layers.Dense(3)

    def call(self, x):
        return self.head(x)


def test_the_model_answers_as_each_peer():
    a, b = perceptron(5, "a"), Subclassed("b")
    peers = Peers([b, a])
    answers = peers.model(VECTORS)
    assert list(answers) == ["b", "a"]
    for peer in (a, b):
        np.testing.assert_array_equal(answers[peer.name], peer(VECTORS))


def test_names_of_outputs_and_taps():
    one, several = (
        Peers([perceptron(5, "a"), perceptron(5, "b")]),
        Peers([two_outputs(4, "p"), two_outputs(5, "q")]),
    )
    taps = ["output", "labels", "input", "input/x", "hidden", "hidden/kernel"]
    assert [one.tap("a", tap) for tap in taps] == [
        *("output/a", "labels/a", "input", "input/x", "a/hidden", "a/hidden/kernel")
    ]
    assert [several.tap("p", tap) for tap in ("output/a", "labels/b")] == ["output/p_a", "labels/p_b"]
    assert list(several.model.output) == ["p_a", "p_b", "q_a", "q_b"]


def test_what_is_given_for_one_is_spread_over_all():
    one, several = (
        Peers([perceptron(5, "a"), perceptron(5, "b")]),
        Peers([two_outputs(4, "p"), two_outputs(5, "q")]),
    )
    assert one.spread("mse") == {"a": "mse", "b": "mse"}
    assert one.spread(["x", "y"], list) == {"a": ["x", "y"], "b": ["x", "y"]}
    assert one.spread({"a": "mse"}) == {"a": "mse"}
    assert one.spread(None) is None
    assert several.spread("mse") == dict.fromkeys(["p_a", "p_b", "q_a", "q_b"], "mse")
    assert several.spread({"a": 1, "b": 2}) == {"p_a": 1, "p_b": 2, "q_a": 1, "q_b": 2}


def test_other_names_are_refused():
    peers = Peers([perceptron(5, "first"), perceptron(5, "second")])
    with pytest.raises(ValueError, match=r"\['first', 'second'\]. Received: 'secnd'. Did you mean 'second'"):
        peers.spread({"first": "mse", "secnd": "mse"})


def other(inputs, classes, name):
    return keras.Sequential([keras.Input((inputs,)), keras.layers.Dense(classes)], name=name)


@pytest.mark.parametrize(
    ("models", "message"),
    [
        (lambda: [perceptron(5, "a")], "two or more peers"),
        (lambda: perceptron(5, "a"), "two or more peers"),
        (lambda: [perceptron(5, "a"), perceptron(6, "a")], "'a' is that of 2 of them"),
        (lambda: [perceptron(5, "a"), other(4, 2, "b")], r"'a' returns \(None, 3\), and 'b' \(None, 2\)"),
        (lambda: [perceptron(5, "a"), other(6, 3, "b")], r"'b' cannot take \(None, 4\)"),
        (lambda: [Subclassed("a"), Subclassed("b")], "No peer tells what it takes"),
    ],
)
def test_refused(models, message):
    with pytest.raises(ValueError, match=message):
        Peers(models())


def test_a_peer_is_a_model():
    with pytest.raises(TypeError, match="peer"):
        Peers([perceptron(5, "a"), lambda x: x])
