"""What files say of themselves."""

import json

import pytest
from ai_edge_litert.interpreter import Interpreter
from tensorflow.lite.tools import flatbuffer_utils

from keras_kd.deployment.metadata import add_metadata, read_metadata
from tests.deployment.foreign import rewritten


def test_what_is_written_is_read_and_the_file_still_runs(dense_file, tmp_path):
    known = {"é": ["a", {"b": None}], "n": 3}
    content = flatbuffer_utils.read_model(str(rewritten(dense_file, tmp_path / "m.tflite", ["x"], ["y"])))
    before = len(flatbuffer_utils.convert_object_to_bytearray(content))
    add_metadata(content, known)
    after = flatbuffer_utils.convert_object_to_bytearray(content)
    (tmp_path / "m.tflite").write_bytes(after)
    assert read_metadata(tmp_path / "m.tflite") == known
    assert len(after) - before < len(json.dumps(known)) + 80
    Interpreter(str(tmp_path / "m.tflite")).allocate_tensors()


def test_files_of_other_tools_say_nothing(dense_file, tmp_path):
    assert read_metadata(rewritten(dense_file, tmp_path / "m.tflite", ["x"], ["y"])) is None


@pytest.mark.parametrize("damage", [b'|"', b'["'])
def test_damage_is_an_error(damage, dense_file, tmp_path):
    content = dense_file.read_bytes()
    assert content.count(b'{"inputs"') == 1
    (tmp_path / "m.tflite").write_bytes(content.replace(b'{"inputs"', damage + b'inputs"'))
    with pytest.raises(ValueError, match=r"m\.tflite' is damaged: its metadata 'keras_kd' is wrong: "):
        read_metadata(tmp_path / "m.tflite")
