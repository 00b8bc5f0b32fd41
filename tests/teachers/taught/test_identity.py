"""What a manifest says of a teacher: one of other contents is another one, whatever it is called."""

import keras
import pytest
import tensorflow as tf

import keras_kd as kd
from keras_kd.teachers.host import HostFunction
from keras_kd.teachers.taught.identity import UNKNOWN, identify, is_identified
from tests.teachers.taught.conftest import Told, classifier


def net(scale=1.0):
    layers = [keras.Input((4,)), keras.layers.Dense(3, kernel_initializer=keras.initializers.Constant(scale))]
    return keras.Sequential(layers)


def of_tf_keras(scale):
    import tf_keras

    dense = tf_keras.layers.Dense(3, kernel_initializer=tf_keras.initializers.Constant(scale))
    return tf_keras.Sequential([tf_keras.layers.Input((4,)), dense])


def saved_model(folder, scale):
    if not (folder / f"saved-{scale}").exists():
        net(scale).export(folder / f"saved-{scale}", verbose=False)
    return kd.as_teacher(folder / f"saved-{scale}")


def hosted(fingerprint, outputs=None):
    teacher = HostFunction("f", lambda x: x[:, :3], outputs=outputs, fingerprint=fingerprint)
    return kd.as_teacher(teacher, inputs=(4,), host=True)


def in_other_words(outputs):
    return kd.as_teacher(net(), outputs=outputs)


PAIRS = {
    "Keras": (lambda folder: net(1), lambda folder: net(2)),
    "tf_keras": (lambda folder: of_tf_keras(1), lambda folder: of_tf_keras(2)),
    "tf_keras inside": (
        lambda folder: kd.as_teacher(of_tf_keras(1)),
        lambda folder: kd.as_teacher(of_tf_keras(2)),
    ),
    "SavedModel inside": (lambda folder: saved_model(folder, 1), lambda folder: saved_model(folder, 2)),
    "on the host inside": (lambda folder: hosted("a"), lambda folder: hosted(lambda: "b")),
    "in an ensemble": (
        lambda folder: kd.ensemble({"one": net(), "two": hosted("a")}),
        lambda folder: kd.ensemble({"one": net(), "two": hosted("b")}),
    ),
    "read otherwise": (
        lambda folder: in_other_words("sigmoid"),
        lambda folder: in_other_words("probabilities"),
    ),
    "answers": (lambda folder: Told(len), lambda folder: HostFunction("f", len, fingerprint="a")),
}


@pytest.mark.parametrize(("one", "other"), PAIRS.values(), ids=PAIRS)
def test_of_other_contents(tmp_path, one, other):
    first, second = identify(one(tmp_path)), identify(other(tmp_path))
    assert first != second
    assert identify(one(tmp_path)) == first
    assert is_identified(first)


def test_what_nobody_knows():
    unknown = [HostFunction("f", len), hosted(None), kd.ensemble([net(), hosted(None)])]
    unknown += [kd.as_teacher(tf.function(tf.square), inputs=(4,))]
    for teacher in unknown:
        assert identify(teacher)["fingerprint"] == UNKNOWN
        assert not is_identified(identify(teacher))
    assert identify(Told(len)) == {"kind": "Told", "fingerprint": "told"}
    assert set(identify(classifier())) == {"kind", "layers", "weights", "keras"}
