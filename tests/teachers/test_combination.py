"""What is told of the outputs of members, and what they end in."""

import keras
import pytest

from keras_kd.teachers.combination import Combination, Stated, activations_of, require_same_structure
from tests.teachers.conftest import classifier


def combine(models, average="probabilities", activation=None, weights="confidence", classes=None):
    inputs = keras.Input((4,))
    found = {name: model(inputs) for name, model in models.items()}
    undo = {name: activations_of(inputs, answer) for name, answer in found.items()}
    known = dict.fromkeys(models) | (classes or {})
    return Combination(Stated.by_output([""], average, activation), weights, known, undo).mean("", found)


def two(*units, activation=None):
    return {n: classifier(n, activation, u) for n, u in zip("ab", units, strict=True)}


@pytest.mark.parametrize(
    ("models", "options", "shape"),
    [
        (lambda: two(3, 3), {}, 3),
        (lambda: {"a": classifier("a", "softmax"), "b": classifier("b")}, {}, 3),
        (lambda: two(1, 1, activation="sigmoid"), {}, 1),
        (lambda: two(1, 1), {"activation": "sigmoid"}, 1),
        (lambda: two(1, 1), {"average": "values", "weights": [0.5, 0.5]}, 1),
        (lambda: two(3, 2), {"classes": {"b": [0, 4], "a": [1, 2, 3]}}, 5),
        (lambda: two(3, 2, activation="sigmoid"), {"classes": {"b": [2, 0]}}, 3),
    ],
)
def test_what_fits(models, options, shape):
    assert combine(models(), **options).shape == (None, shape)


@pytest.mark.parametrize(
    ("models", "options", "message"),
    [
        (lambda: two(1, 1), {}, "'a' answers with one number: say what it is"),
        (
            lambda: {"a": classifier("a", "softmax"), "b": classifier("b", "sigmoid")},
            {},
            "end in different activations: {'a': 'softmax', 'b': 'sigmoid'}",
        ),
        (lambda: two(3, 3, activation="softmax"), {"activation": "sigmoid"}, "and activation='sigmoid'"),
        (lambda: two(3, 4), {}, "different numbers of classes"),
        (lambda: two(3, 4), {"average": "values", "weights": [1, 1]}, "different numbers of values"),
        (lambda: two(3, 3), {"average": "values"}, "weights='confidence' are found from probabilities"),
        (
            lambda: two(3, 3),
            {"average": "values", "weights": [1, 1], "activation": "softmax"},
            "`activation` and `classes` are for classes",
        ),
        (
            lambda: two(3, 2, activation="sigmoid"),
            {"classes": {"b": [[1, 1, 0], [0, 0, 1]]}},
            "`classes` of 'b' is a matrix that shares classes out",
        ),
        (lambda: two(3, 3), {"average": "mean"}, "`average` is one of .* Received: 'mean'"),
        (lambda: two(3, 3), {"average": {"x": "values"}}, r"names the output 'x', and there are \[''\]"),
    ],
)
def test_what_does_not(models, options, message):
    with pytest.raises(ValueError, match=message):
        combine(models(), **options)


def test_structures():
    inputs = keras.Input((4,))
    assert require_same_structure({"a": {"x": inputs, "y": inputs}}) == ["x", "y"]
    with pytest.raises(ValueError, match=r"'a' has the outputs \[''\], and 'b' has \['x'\]"):
        require_same_structure({"a": inputs, "b": {"x": inputs}})
    for name, outputs in (("mean", inputs), ("average_x_y", {"x": {"y": inputs}})):
        with pytest.raises(ValueError, match=f"{name!r} is a layer of the ensemble itself"):
            require_same_structure({name: outputs})
    several = Stated.by_output(["x", "y"], "logits", None)
    with pytest.raises(ValueError, match="`classes` is for members with one output"):
        Combination(several, [1.0], {"a": [0, 1]}, {})
    with pytest.raises(ValueError, match=r"answers with shape \(None,\)"):
        Combination(Stated.by_output([""], "values", None), [1.0], {"a": None}, {"a": {"": None}}).mean(
            "", {"a": keras.Input(())}
        )
