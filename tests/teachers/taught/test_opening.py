"""Teachers of every kind are taught as they are, answer as the original, and are not taken for another."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.ensemble import RandomForestClassifier

import keras_kd as kd
from keras_kd.teachers.host import HostFunction
from keras_kd.teachers.taught.opening import find_teacher
from tests.teachers.conftest import X, classifier
from tests.teachers.test_host_files import KERNEL, linear

SPEC = tf.TensorSpec((None, 4))
LABELS = np.arange(6) % 3


def of_tf_keras(scale=1.0):
    import tf_keras

    dense = tf_keras.layers.Dense(3, kernel_initializer=tf_keras.initializers.Constant(KERNEL * scale))
    return tf_keras.Sequential([tf_keras.layers.Input((4,)), dense])


def keras_file(folder, scale):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    model.set_weights([KERNEL * scale, np.zeros(3)])
    model.save(folder / "net.keras")
    return folder / "net.keras"


def saved_model(folder, scale):
    keras.models.load_model(keras_file(folder, scale)).export(folder / "net", verbose=False)
    return folder / "net"


def onnx_file(folder, scale):
    pytest.importorskip("onnxruntime", reason="the package onnxruntime runs .onnx files")
    return linear(folder / "net.onnx", "batch", KERNEL * scale)


def lite_file(folder, scale):
    (folder / "net.tflite").unlink(missing_ok=True)
    kd.export(keras.models.load_model(keras_file(folder, scale)), folder / "net.tflite")
    return folder / "net.tflite"


def forest(folder, scale):
    return RandomForestClassifier(3, random_state=0).fit(X * scale, LABELS)


def probabilities(scale):
    return lambda x: np.exp(x @ KERNEL * scale) / np.exp(x @ KERNEL * scale).sum(-1, keepdims=True)


def linear_function(folder, scale):
    return tf.function(lambda x: tf.matmul(x, KERNEL * np.float32(scale)))


# What makes a teacher in a folder, what is said of it, and how it is refused if it is another one.
DIFFERS, ANSWERS = "another teacher: its .*differ", "is off by"
SOURCES = {
    "a .keras file": pytest.param(keras_file, {}, DIFFERS, marks=pytest.mark.slow),
    "a SavedModel": pytest.param(saved_model, {}, DIFFERS, marks=pytest.mark.slow),
    "an .onnx file": (onnx_file, {}, DIFFERS),
    "a .tflite file": pytest.param(lite_file, {}, DIFFERS, marks=pytest.mark.slow),
    "an estimator": (forest, {}, DIFFERS),
    "a function": (lambda folder, scale: lambda x: x @ KERNEL * scale, {}, ANSWERS),
    "a function that says": (
        lambda folder, scale: probabilities(scale),
        {"outputs": "probabilities"},
        ANSWERS,
    ),
    "tf.function": (linear_function, {}, ANSWERS),
    "tf_keras": (lambda folder, scale: of_tf_keras(scale), {}, DIFFERS),
}
EXPECTED = {
    "an estimator": lambda: np.log(np.maximum(forest(None, 1).predict_proba(X), 1e-37)),
    "a function that says": lambda: np.log(probabilities(1)(X)),
    "tf_keras": lambda: of_tf_keras().predict(X, verbose=0),
}


@pytest.mark.parametrize(("make", "said", "refused"), SOURCES.values(), ids=SOURCES)
def test_it_is_taught_once_as_it_is(make, said, refused, tmp_path, cache, request):
    options = {**said, "dtype": "float32", "shuffle": False, "verbose": False}
    teacher = make(tmp_path, 1)
    ((batch, _),) = kd.precompute(teacher, (X, LABELS), cache, **options)
    expected = EXPECTED.get(request.node.callspec.id, lambda: X @ KERNEL)()
    np.testing.assert_allclose(batch.signals["output"], expected, atol=1e-4)
    assert kd.precompute(teacher, (X, LABELS), cache, **options)
    other = make(tmp_path, -2)
    with pytest.raises(FileExistsError, match=refused):
        kd.precompute(other, (X, LABELS), cache, **options)


def test_what_answers_are_said_to_be_is_a_setting(cache):
    kd.precompute(probabilities(1), X, cache, outputs="probabilities", verbose=False)
    with pytest.raises(FileExistsError, match=r"outputs was 'probabilities', now None"):
        kd.precompute(probabilities(1), X, cache, verbose=False)


def test_a_function_of_tensorflow_takes_what_preprocessing_makes(cache):
    function = tf.function(lambda x: tf.matmul(x["a"], KERNEL) + x["b"])
    options = {"teacher_preprocess": lambda x: {"a": 2 * x, "b": x[:, :3]}, "dtype": "float32"}
    ((batch,),) = kd.precompute(function, X, cache, shuffle=False, verbose=False, **options)
    np.testing.assert_allclose(batch.signals["output"], 2 * X @ KERNEL + X[:, :3], atol=1e-5)


def test_a_file_is_checked_when_it_is_loaded(tmp_path, cache):
    path = onnx_file(tmp_path, 1)
    kd.precompute(path, X, cache, verbose=False)
    assert kd.load_taught(cache, X, teacher=str(path))
    onnx_file(tmp_path, 2)
    with pytest.raises(ValueError, match="another teacher: its fingerprint differs"):
        kd.load_taught(cache, X, teacher=path)


def test_nan_names_the_sample_of_the_data(cache):
    x = np.concatenate([X, X + 20])

    def sick(x):
        return np.where(x[:, :1] > 10, np.nan, x)

    first = int(np.flatnonzero(x[:, 0] > 10)[0])
    for size in (12, 4):  # in the first batch, and in a later one
        with pytest.raises(
            ValueError, match=rf"^Sample {first} of the data .*'sick' answers with NaN or infini"
        ):
            kd.precompute(sick, x, cache, batch_size=size, verbose=False)


def test_models_stay_as_they_are():
    model, old, said = classifier(), of_tf_keras(), HostFunction("f", len)
    for teacher in (model, old, said):
        assert find_teacher(teacher, None).opened(SPEC) is teacher
    stated = find_teacher(classifier("p", "softmax"), "probabilities").opened(SPEC)
    assert stated.layers[-1].kinds == "probabilities"


ERRORS = {
    "nothing": (X, {}, TypeError, "A teacher is made of the path of a file.*Received: ndarray"),
    "no file": ("net.tflit", {}, ValueError, r"Expected \.keras, .*or a SavedModel. Received: 'net.tflit'"),
    "no such file": ("net.onnx", {}, FileNotFoundError, "There is no file 'net.onnx'"),
    "outputs": (len, {"outputs": "probs"}, ValueError, "`outputs` is one of 'logits', .*Received: 'probs'"),
    "outputs of what answers": (
        HostFunction("f", len),
        {"outputs": "logits"},
        ValueError,
        "'f' has a method `answer`, which returns logits",
    ),
    "no probabilities": (
        lambda x: x * 9,
        {"outputs": "probabilities"},
        ValueError,
        "the answers are no probabilities: they lie between",
    ),
    "other inputs": (
        lambda x: x @ np.ones((5, 2)),
        {},
        ValueError,
        r"fails on the data's inputs \(\(6, 4\) float32\): ValueError: .*`teacher_preprocess`",
    ),
    "a function of TensorFlow and other inputs": (
        tf.function(lambda x: tf.matmul(x, tf.ones((5, 2)))),
        {},
        ValueError,
        r"fails on the data's inputs .*Dimensions must be equal, but are 4 and 5 .*`teacher_preprocess`",
    ),
    "a class": (
        RandomForestClassifier,
        {},
        TypeError,
        "A teacher is an object, and RandomForestClassifier is a class: pass a trained object of it",
    ),
    "data": ((X, LABELS), {}, TypeError, "A teacher is made of the path of a file.*Received: tuple"),
    "another folder": (".", {}, IsADirectoryError, "is a folder that holds neither a SavedModel"),
    "an engine": (
        lambda x: x,
        {"engine": "litert"},
        ValueError,
        "computes its answers itself, so no engine can: leave out engine='litert'",
    ),
}


@pytest.mark.parametrize(("source", "options", "kind", "message"), ERRORS.values(), ids=ERRORS)
def test_what_is_refused_leaves_nothing_behind(cache, source, options, kind, message):
    with pytest.raises(kind, match=message):
        kd.precompute(source, X, cache, verbose=False, **options)
    assert not cache.exists()
