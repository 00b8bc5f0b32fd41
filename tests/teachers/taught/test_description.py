"""How signals are stored follows from what the teacher answers to a first batch."""

import numpy as np
import pytest

from keras_kd.teachers.taught.answering import mask_name
from keras_kd.teachers.taught.description import describe_signals

X = np.zeros((3, 7), "int32")
TOKENS, LOGITS = np.ones((3, 7, 4), "float32"), np.full((3, 5), 2, "float32")


class Answer:
    """Answers the same to anything."""

    def __init__(self, values, shapes=None, activations=None):
        self.values, self.shapes, self.activations = values, shapes, activations

    def __call__(self, x):
        return self.values


def described(values, free=False, top_k=None, dtype="float16", **traced):
    answer = Answer(values, **traced)
    taps = [tap for tap in values if not tap.startswith("mask of")]
    return describe_signals(answer, taps, X, [free], dtype, top_k)


def test_dense_signals():
    logits, ids = described({"output": LOGITS, "ids": np.arange(3)})
    assert (logits.shape, logits.dtype, logits.given, logits.activation) == ((5,), "float16", "float32", None)
    assert (ids.shape, ids.dtype, ids.given) == ((), "int64", "int64")


TOKEN_CASES = {
    "as many as an input": ({}, True, {}, (None, 4), 0),
    "of a fixed number": ({}, False, {}, (7, 4), None),
    "with a mask": ({mask_name("output"): X == 0}, False, {}, (None, 4), 0),
    "with a mask, of a fixed number that no input has": (
        {"output": TOKENS[:, :3], mask_name("output"): X[:, :3] == 0},
        False,
        {"shapes": {"output": (3, 4)}, "activations": {"output": None}},
        (3, 4),
        None,
    ),
    "traced as fixed": (
        {},
        True,
        {"shapes": {"output": (7, 4)}, "activations": {"output": None}},
        (7, 4),
        None,
    ),
}


@pytest.mark.parametrize(
    ("mask", "free", "traced", "shape", "length_of"), TOKEN_CASES.values(), ids=TOKEN_CASES
)
def test_tokens(mask, free, traced, shape, length_of):
    (signal,) = described({"output": TOKENS} | mask, free, **traced)
    assert (signal.shape, signal.length_of) == (shape, length_of)


def test_probabilities_are_told_by_the_trace_or_by_their_sums():
    half = np.full((3, 2), 0.5, "float32")
    assert described({"output": half})[0].activation == "softmax"
    assert described({"output": half / 2})[0].activation is None
    traced = {"shapes": {"output": (2,)}, "activations": {"output": "sigmoid"}}
    assert described({"output": half}, **traced)[0].activation == "sigmoid"
    along_another_axis = {"shapes": {"output": (5,)}, "activations": {"output": "softmax"}}
    assert described({"output": LOGITS}, **along_another_axis)[0].activation is None


def test_top_k_is_of_outputs_or_by_name():
    values = {"output": LOGITS, "output/b": LOGITS, "block": LOGITS}
    assert [signal.top_k for signal in described(values, top_k=2)] == [2, 2, None]
    assert [signal.top_k for signal in described(values, top_k={"block": 3})] == [None, None, 3]
    with pytest.raises(ValueError, match=r"`top_k` names 'blok'.*Did you mean 'block'"):
        described(values, top_k={"blok": 3})
    with pytest.raises(ValueError, match=r"'output' has 5 classes. Received: 6"):
        described(values, top_k=6)
