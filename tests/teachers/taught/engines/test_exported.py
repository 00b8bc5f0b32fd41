"""The other runtimes answer as TensorFlow does: all taps, masks, structures of inputs, any number of rows."""

import importlib.util

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_kd.teachers.taught.answering import ModelAnswer
from keras_kd.teachers.taught.engines.agreement import compare
from keras_kd.teachers.taught.engines.exported import ONNX_PACKAGES, CannotServe, lite_answer, onnx_answer
from tests.teachers.taught.conftest import X, classifier

needs_onnx = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ONNX_PACKAGES),
    reason=f"ONNX Runtime needs {' and '.join(ONNX_PACKAGES)}",
)
BOTH = [
    pytest.param(lite_answer, marks=pytest.mark.slow, id="litert"),  # TensorFlow loads in a child process
    pytest.param(onnx_answer, marks=needs_onnx, id="onnxruntime"),
]


def scaled(pixels):
    return tf.cast(pixels, tf.float32) / 255


def two_inputs():
    a, b = keras.Input((3,), name="a"), keras.Input((2,), name="b")
    hidden = keras.layers.Dense(4, activation="relu", name="hidden")(keras.layers.Concatenate()([a, b]))
    return keras.Model({"a": a, "b": b}, keras.layers.Dense(4, activation="softmax")(hidden))


def tokens():
    ids = keras.Input((None,), dtype="int32")
    embedded = keras.layers.Embedding(20, 4, mask_zero=True)(ids)
    return keras.Model(ids, keras.layers.Dense(5)(embedded))


RANDOM = np.random.default_rng(0)
TWO = {"a": RANDOM.random((8, 3), "float32"), "b": RANDOM.random((8, 2), "float32")}
IDS = RANDOM.integers(0, 20, (8, 6)).astype("int32")
PIXELS = (255 * X[:8]).astype("uint8")
CASES = {
    "features": (classifier, ["output", "features"], X[:8], None),
    "two inputs": (two_inputs, ["hidden", "output"], TWO, None),
    "tokens with a mask": (tokens, ["output"], IDS, None),
    "bytes that are scaled": (classifier, ["output"], PIXELS, scaled),
}


def answer_of(make, taps, x, preprocess):
    free = x is IDS
    spec = tf.nest.map_structure(
        lambda part: tf.TensorSpec([None, *((None,) if free else part.shape[1:])], part.dtype), x
    )
    return ModelAnswer(make(), taps, spec, preprocess)


@pytest.mark.parametrize("start", BOTH)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_answers_as_tensorflow_does(start, case):
    answer, x = answer_of(*case), case[2]
    other = start(answer, x)
    rows = [slice(8), slice(3)]
    batches = [tf.nest.map_structure(lambda part, r=r: part[r], x) for r in rows]
    if x is IDS:
        batches.append(x[:, :4])
    for batch in batches:
        expected, found = answer(batch), other(batch)
        assert list(found) == list(expected)
        agreement = compare(expected, found, answer.activations)
        assert agreement.divergence < 1e-9
        assert agreement.distance < 1e-4


@pytest.mark.parametrize("start", BOTH)
def test_a_teacher_that_cannot_be_exported_is_refused(start):
    answer = answer_of(classifier, ["output"], X[:8], tf.math.digamma)  # an operator that neither has
    with pytest.raises(CannotServe, match="cannot run the teacher"):
        start(answer, X[:8])


def test_a_model_of_tf_keras_is_refused():
    import tf_keras

    teacher = tf_keras.Sequential([tf_keras.Input((4,)), tf_keras.layers.Dense(2)])
    answer = ModelAnswer(teacher, ["output"], tf.TensorSpec([None, 4]), None)
    with pytest.raises(CannotServe, match="from_tf_keras"):
        lite_answer(answer, np.zeros((2, 4), "float32"))


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    answer = answer_of(*CASES["features"])
    with pytest.raises(CannotServe, match=r"needs onnxruntime and tf2onnx.*pip install 'keras-kd\[onnx\]'"):
        onnx_answer(answer, X[:8])
