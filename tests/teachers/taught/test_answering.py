"""What labels: one pass of a Keras model, or an object with `answer`."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_kd as kd
from keras_kd.finite import NotFinite
from keras_kd.teachers.host import HostFunction
from keras_kd.teachers.taught.answering import HostAnswer, ModelAnswer, make_answer, mask_name
from tests.teachers.taught.conftest import Told, X, classifier

SPEC = tf.TensorSpec((None, 6, 6, 1))


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__(name="mine")
        self.dense = keras.layers.Dense(2, name="dense")

    def call(self, x):
        return keras.ops.softmax(self.dense(keras.ops.reshape(x, (-1, 36))))


def test_signals_of_one_pass():
    teacher = classifier("softmax")
    answer = make_answer(teacher, ["output", "features", "logits"], SPEC, None)
    found = answer(X[:5])
    np.testing.assert_allclose(found["output"], teacher(X[:5]), atol=1e-6)
    np.testing.assert_allclose(found["features"], teacher.layers[0](X[:5]), atol=1e-6)
    assert answer.shapes == {"output": (5,), "features": (4, 4, 3), "logits": (5,)}
    assert answer.activations == {"output": "softmax", "features": None, "logits": None}


def test_a_subclassed_model_that_was_never_called_has_the_weights_of_its_layers_or_none():
    with pytest.raises(ValueError, match="'mine' had no weights yet, so it has nothing to teach"):
        ModelAnswer(Subclassed(), ["output"], SPEC, None)
    teacher = Subclassed()
    teacher.dense.build((None, 36))
    answer = ModelAnswer(teacher, ["output", "dense"], SPEC, None)
    assert answer(X[:3])["output"].shape == (3, 2)


def test_inputs_by_name_and_by_preprocessing():
    image = keras.Input((6, 6, 1), name="image")
    teacher = keras.Model(image, keras.layers.Flatten()(image))
    x = {"image": X[:3], "id": np.arange(3)}
    spec = {"image": SPEC, "id": tf.TensorSpec((None,), tf.int64)}
    np.testing.assert_array_equal(
        ModelAnswer(teacher, ["output"], spec, None)(x)["output"], X[:3].reshape(3, -1)
    )
    doubled = ModelAnswer(teacher, ["output"], spec, lambda x: 2 * x.pop("image"))
    np.testing.assert_array_equal(doubled(x)["output"], 2 * X[:3].reshape(3, -1))


def test_masks_come_along():
    tokens = keras.Input((None,), dtype="int32")
    embedded = keras.layers.Embedding(9, 4, mask_zero=True, name="embedded")(tokens)
    teacher = keras.Model(tokens, keras.layers.LSTM(3, return_sequences=True)(embedded))
    answer = ModelAnswer(teacher, ["output", "embedded"], tf.TensorSpec((None, None), tf.int32), None)
    x = np.array([[1, 2, 0], [3, 0, 0]], "int32")
    found = answer(x)
    for tap in ("output", "embedded"):
        np.testing.assert_array_equal(found[mask_name(tap)], x > 0)
    assert answer.shapes["output"] == (None, 3)


def test_the_teacher_is_left_as_it_was():
    teacher = keras.Sequential([keras.Input((6, 6, 1)), keras.layers.BatchNormalization()])
    before = [np.array(weight) for weight in teacher.weights]
    make_answer(teacher, ["output"], SPEC, None)(X)
    for weight, was in zip(teacher.weights, before, strict=True):
        np.testing.assert_array_equal(weight, was)
    assert "call" not in teacher.layers[0].__dict__


def test_an_object_that_answers():
    told = Told(lambda x: {"output": x.mean((1, 2)), "other": x, mask_name("output"): x > 0})
    answer = make_answer(told, ["output"], SPEC, lambda x: x + 1)
    assert isinstance(answer, HostAnswer)
    assert set(answer(X)) == {"output", mask_name("output")}
    np.testing.assert_allclose(answer(X)["output"], (X + 1).mean((1, 2)))


def test_nan_says_its_row_on_the_host_and_within_a_model():
    sick = []

    def run(x):
        return np.where((np.arange(len(x)) == 3)[:, None] & bool(sick), np.nan, x[:, 0, 0])

    host = HostFunction("t", run)
    answers = [make_answer(host, ["output"], SPEC, None)]
    answers += [make_answer(kd.as_teacher(host, inputs=(6, 6, 1), host=True), ["output"], SPEC, None)]
    sick.append(True)
    for answer in answers:
        with pytest.raises(NotFinite, match="The teacher 't' answers with NaN or infinity") as caught:
            answer(X)
        assert caught.value.row == 3


def test_what_fails_on_a_first_batch_says_what_it_was_given_and_later_errors_are_its_own():
    def run(x):
        if len(x) == 1:
            raise ConnectionError("no route to the service")
        return np.dot(x.reshape(len(x), -1), np.ones((size[0], 2)))

    size, answer = [9], HostAnswer(HostFunction("net", run), ["output"], None)
    with pytest.raises(
        ValueError, match=r"'net' fails on the data's inputs .*\(40, 6, 6, 1\) .*`teacher_prepro"
    ):
        answer(X)
    size[0] = 36
    assert answer(X)["output"].shape == (40, 2)
    with pytest.raises(ConnectionError, match="no route"):
        answer(X[:1])
    with pytest.raises(ValueError, match=r"^The teacher 'few' answers with 1 rows for 40 samples\.$"):
        HostAnswer(HostFunction("few", lambda x: x[:1]), ["output"], None)(X)


def stateful():
    layers = [keras.Input((6, 6), batch_size=2), keras.layers.GRU(3, stateful=True, name="gru")]
    return keras.Sequential(layers, name="teacher")


class Bare:
    def answer(self, batch):
        return batch


ERRORS = {
    "no teacher": (lambda: make_answer(len, ["output"], SPEC, None), TypeError, r"answer\(batch\).*Received"),
    "an array in place of signals": (
        lambda: HostAnswer(Bare(), ["output"], None)(X),
        TypeError,
        "returns a dictionary of arrays by signal.*Received: ndarray",
    ),
    "no tap": (lambda: make_answer(classifier(), ["feature"], SPEC, None), ValueError, "features"),
    "another size": (
        lambda: make_answer(classifier(), ["output"], tf.TensorSpec((None, 5, 5, 1)), None),
        ValueError,
        r"'teacher' cannot take the data's inputs \(\(None, 5, 5, 1\) float32\).*teacher_preprocess",
    ),
    "a state": (
        lambda: make_answer(stateful(), ["output"], SPEC, None),
        ValueError,
        "'gru' of .*is stateful",
    ),
    "no answer": (
        lambda: make_answer(Told(lambda x: {"outputs": x}), ["output"], SPEC, None)(X),
        ValueError,
        r"no signal 'output'; it answers with \['outputs'\]. Did you mean 'outputs'",
    ),
}


@pytest.mark.parametrize(("make", "kind", "message"), ERRORS.values(), ids=ERRORS)
def test_errors(make, kind, message):
    with pytest.raises(kind, match=message):
        make()
