"""What each kind of source is taken for."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_kd as kd
from keras_kd.teachers.foreign import TensorFunction
from keras_kd.teachers.host import HostFunction, HostTeacher
from keras_kd.teachers.sources import find_source
from tests.teachers.conftest import X, classifier


class Service:
    """What any user may write."""

    name, inputs = "service", keras.KerasTensor((None, 4))

    def answer(self, batch):
        return {"output": batch[:, :3]}


@pytest.mark.parametrize(("file", "kind"), [("net.keras", keras.Model), ("net", TensorFunction)])
def test_paths(files, file, kind):
    found, name, _ = find_source(files[0] / file)
    assert isinstance(found, kind)
    assert name == "net"
    assert find_source(str(files[0] / file), "other")[1] == "other"


@pytest.mark.slow
def test_tflite_files(with_lite):
    path = with_lite[0] / "net.tflite"
    for source in (path, kd.LiteModel(path)):
        found, name, _ = find_source(source)
        assert isinstance(found, HostFunction)
        assert name == "net"


def test_objects(files):
    folder, _ = files
    loaded = tf.saved_model.load(str(folder / "net"))
    model, service = classifier("m"), Service()
    cases = [
        (model, "m", keras.Model),
        (loaded, "UserObject", TensorFunction),
        (loaded.signatures["serving_default"], None, TensorFunction),
        (tf.function(np.square), "square", TensorFunction),
        (keras.layers.Rescaling(2.0, name="r"), "r", TensorFunction),
        (np.square, "square", HostFunction),
        (lambda x: x, "teacher", HostFunction),
    ]
    for source, name, kind in cases:
        found, named, _ = find_source(source)
        assert isinstance(found, kind)
        assert named == (name or named)
    assert find_source(service)[0] is service
    assert isinstance(service, HostTeacher)
    with pytest.raises(ValueError, match="'service' has a method `answer`, which returns logits or numbers"):
        find_source(service, outputs="probabilities")


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        ("teacher.pt", ValueError, r"Expected \.keras, .*, \.onnx or a SavedModel. Received: 'teacher.pt'"),
        ("teacher.tflite", FileNotFoundError, r"There is no file 'teacher\.tflite'"),
        ([classifier, classifier], TypeError, "Received 2 sources.*kd.ensemble"),
        (np.float32, TypeError, "A teacher is an object, and float32 is a class"),
        (X, TypeError, "something that answers for a batch.* Received: ndarray"),
    ],
    ids=["suffix", "no file", "two sources", "class", "array"],
)
def test_what_is_no_source(source, error, message):
    with pytest.raises(error, match=message):
        find_source(source)
