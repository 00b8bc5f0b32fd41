"""A layer that asks a teacher on the host."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_kd.teachers.host import HostFunction
from keras_kd.teachers.hosted import AnswerSpec, Hosted, try_out

X = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")


def hosted(run, inputs, **kwargs):
    teacher = HostFunction("t", run)
    layer = Hosted(teacher, try_out(teacher, inputs), **kwargs)
    return keras.Model(inputs, layer(inputs))


def test_what_a_teacher_answers_with_is_found_by_asking():
    free = keras.Input((None, 3), dtype="int32")
    found = try_out(HostFunction("t", lambda x: {"a": x.sum(-1), "b": x[:, 0]}), free)
    assert found == {
        "output/a": AnswerSpec((None, None), "int64"),
        "output/b": AnswerSpec((None, 3), "int32"),
    }
    words = keras.Input((), dtype="string")
    lengths = try_out(HostFunction("t", lambda x: np.array([[len(word)] for word in x])), words)
    assert lengths == {"output": AnswerSpec((None, 1), "int64")}


def test_eager_and_compiled_answers_are_the_same():
    def run(x):
        return {"a": x["p"] + x["q"], "b": (2 * x["q"]).astype("float64")}

    inputs = {name: keras.Input((4,), name=name) for name in "pq"}
    model = hosted(run, inputs)
    data = {"p": X, "q": X}
    for found in (model(data), tf.function(model)(data), model.predict(data, verbose=0)):
        np.testing.assert_allclose(found["a"], 2 * X)
        np.testing.assert_allclose(found["b"], 2 * X)
    assert model.layers[-1].supports_jit is False
    assert model.trainable_weights == []


def test_a_wrong_answer_in_a_compiled_step_names_the_sample():
    asked = []

    def run(x):
        asked.append(len(x))
        return x if len(asked) < 3 else np.where(np.arange(len(x))[:, None] == 2, np.nan, x)

    model = hosted(run, keras.Input((4,)))
    with pytest.raises(tf.errors.InvalidArgumentError, match="NaN or infinity for sample 2 of the batch"):
        tf.function(model)(X)


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (lambda x: x @ np.ones((7, 2)), r"'t' fails on random inputs {'x': \(2, 4\)}: ValueError: matmul"),
        (lambda x: x if len(x) == 2 else x[:, 0], "have 2 axes for one batch and 1 for another"),
    ],
)
def test_what_cannot_answer(run, message):
    with pytest.raises(ValueError, match=message):
        try_out(HostFunction("t", run), keras.Input((4,)))


def test_no_file_holds_it():
    layer = Hosted(HostFunction("t", np.sqrt), {"output": AnswerSpec((None, 4), "float32")}, name="t")
    with pytest.raises(ValueError, match="'t' answers outside Keras, so no file of Keras can hold it"):
        layer.get_config()
