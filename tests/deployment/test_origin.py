"""A file tells which model it was made from."""

import keras
import pytest

from keras_kd.deployment.litemodel import LiteModel
from keras_kd.deployment.origin import Origin, read_origin
from keras_kd.deployment.source.fingerprint import Fingerprint
from keras_kd.deployment.tflite import export
from keras_kd.distillation.distiller import Distiller
from tests.deployment import small
from tests.deployment.foreign import rewritten


def test_export_writes_it_and_the_model_is_known_after_saving(dense, dense_file, tmp_path):
    dense.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    origin = LiteModel(dense_file).made_from
    assert (origin.model, origin.parameters) == ("dense", dense.count_params())
    assert (origin.quantization, origin.batch_size, origin.keras) == (None, None, keras.__version__)
    assert origin.is_of(Fingerprint.of(dense))
    assert origin.is_of(Fingerprint.of(loaded))
    quantized = read_origin(export(loaded, tmp_path / "m.tflite", quantization="float16").path)
    assert (quantized.quantization, quantized.batch_size) == ("float16", 1)
    assert quantized.is_of(Fingerprint.of(dense))


def test_the_file_of_a_distiller_is_that_of_its_student(dense, tmp_path):
    distiller = Distiller(dense, small.dense())
    origin = read_origin(export(distiller, tmp_path / "m.tflite").path)
    assert (origin.model, origin.is_of(Fingerprint.of(dense))) == ("dense", True)


def test_two_exports_are_equal_byte_for_byte_and_little_larger_than_without(dense, dense_file, tmp_path):
    again = export(dense, tmp_path / "m.tflite", batch_size=None).path
    assert again.read_bytes() == dense_file.read_bytes()
    assert len(str(read_origin(again).to_json())) < 300
    told = b',"made_from":'
    content = again.read_bytes()
    start = content.index(told)
    assert content.index(b"}}", start) - start < 200


def test_files_of_other_tools_tell_nothing(dense_file, tmp_path):
    path = rewritten(dense_file, tmp_path / "m.tflite", ["x"], ["y"])
    assert (read_origin(path), LiteModel(path).made_from) == (None, None)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"made_from":{', b'"made_from":['),
        (b'"weights":"', b'"weight_":"'),
        (b'"parameters":15,', b'"parameters":"",'),
        (b'"model":"dense"', b'"model":null   '),
    ],
)
def test_damage_is_an_error(old, new, dense_file, tmp_path):
    content = dense_file.read_bytes()
    assert content.count(old) == 1
    assert len(old) == len(new)
    (tmp_path / "m.tflite").write_bytes(content.replace(old, new))
    with pytest.raises(ValueError, match=r"m\.tflite' is damaged: its metadata 'keras_kd' is wrong: "):
        LiteModel(tmp_path / "m.tflite")


ORIGIN = Origin("student", 15, "aa", "11", None, 1, "3.15.1", "0.1.0")


@pytest.mark.parametrize(
    ("name", "layers", "weights", "said"),
    [
        ("student", "aa", "11", ""),
        ("renamed", "aa", "11", ""),
        ("student", "aa", "22", "made from 'student' with other weights: export it again"),
        ("student", "bb", "22", "made from another model of the name 'student', which has other layers"),
        ("student", "bb", "11", "made from another model of the name 'student', which has other layers"),
        ("teacher", "bb", "22", "made from another model, 'student'"),
        (
            "functional_1",
            "aa",
            "22",
            "made from another model, 'student', which has the same layers and other weights",
        ),
    ],
)
def test_what_it_is_beside_another_model(name, layers, weights, said):
    assert ORIGIN.beside(name, Fingerprint(layers, weights, "3.15.1")) == said


def test_another_keras_may_describe_the_same_layers_in_other_words():
    here = Fingerprint("bb", "11", "3.16.0")
    assert ORIGIN.is_of(here)
    assert not ORIGIN.is_of(here._replace(weights="22"))
    assert not ORIGIN.is_of(here._replace(keras="3.15.1"))
