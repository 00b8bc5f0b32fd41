"""A function of arrays, and what is wrong with an answer."""

import numpy as np
import pytest

from keras_kd.finite import NotFinite
from keras_kd.teachers.host import HostFunction, HostTeacher

X = np.ones((3, 2), "float32")


def test_answers_go_by_their_taps():
    teacher = HostFunction("t", lambda x: {"a": [x, 2 * x.astype("float64")], "n": np.arange(3)})
    assert isinstance(teacher, HostTeacher)
    found = teacher.answer(X)
    assert list(found) == ["output/a/0", "output/a/1", "output/n"]
    assert {key: array.dtype.name for key, array in found.items()} == {
        "output/a/0": "float32",
        "output/a/1": "float32",
        "output/n": "int64",
    }
    probabilities = HostFunction("t", lambda x: x * 0 + [1, 0], outputs="probabilities").answer(X)
    assert probabilities["output"].min() < -80


def nan_in_the_second(x):
    return np.where(np.arange(len(x))[:, None] == 1, np.nan, x)


@pytest.mark.parametrize(
    ("run", "error", "message"),
    [
        (nan_in_the_second, NotFinite, "The teacher 't' answers with NaN or infinity for sample 1 of the ba"),
        (lambda x: x[:1], ValueError, "answers with 1 rows for 3 samples"),
        (lambda x: np.float32(1), ValueError, r"answers with float32 of shape \(\)"),
        (lambda x: ["a", "b", "c"], ValueError, "It has to answer with an array of numbers"),
        (lambda x: {"a": nan_in_the_second(x)}, NotFinite, "'a' of the teacher 't' answers with NaN"),
    ],
)
def test_wrong_answers(run, error, message):
    with pytest.raises(error, match=message):
        HostFunction("t", run).answer(X)


def test_outputs_that_are_not_there():
    for run, message in ((lambda x: {"a": x}, r"answers with \['a'\]"), (lambda x: x, "has one output: say")):
        with pytest.raises(ValueError, match=f"`outputs` names 'b', and the teacher 't' {message}"):
            HostFunction("t", run, outputs={"b": "logits"}).answer(X)


def test_minus_infinity_suppresses_a_class():
    assert HostFunction("t", lambda x: x * -np.inf).answer(X)["output"].max() == -np.inf
