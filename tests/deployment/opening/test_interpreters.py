"""Opening files: what is not a complete .tflite file, signatures, and what C++ code writes to stderr."""

import contextlib
import io
import os
import sys

import flatbuffers
import keras
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from keras_kd.deployment.litemodel import LiteModel
from keras_kd.deployment.opening.interpreters import open_interpreter, quiet_stderr, read_signature
from keras_kd.deployment.tflite import export


def test_files_that_are_not_what_they_should_be(dense_file, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"There is no file '.*no\.tflite'"):
        LiteModel(tmp_path / "no.tflite")
    with pytest.raises(IsADirectoryError, match="is a folder"):
        LiteModel(tmp_path)
    content = dense_file.read_bytes()
    broken = tmp_path / "broken.tflite"
    for other in (b"", b"some text that is long enough", content[:6]):
        broken.write_bytes(other)
        with pytest.raises(ValueError, match="is not a TensorFlow Lite file: bytes 4 to 8 should be TFL3"):
            LiteModel(broken)
    for length in (10, 100, len(content) // 2, len(content) * 3 // 4):
        broken.write_bytes(content[:length])
        with pytest.raises(ValueError, match="is not a complete TensorFlow Lite file"):
            LiteModel(broken)


def test_what_is_no_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.tflite")
    (tmp_path / "device.tflite").symlink_to("/dev/zero")
    (tmp_path / "loop.tflite").symlink_to(tmp_path / "loop.tflite")
    for name in ("pipe.tflite", "device.tflite"):
        with pytest.raises(
            OSError, match=rf"Expected a \.tflite file; '.*{name}' is a pipe, a socket or a dev"
        ):
            LiteModel(tmp_path / name)
    with pytest.raises(OSError, match=r"loop\.tflite"):
        LiteModel(tmp_path / "loop.tflite")


def test_signatures_name_inputs_and_outputs(dense_file):
    signature = read_signature(open_interpreter(dense_file, 1), "serving_default")
    assert [tensor.name for tensor in signature.inputs] == list(signature.input_indices) == ["input_0"]
    assert [tensor.name for tensor in signature.outputs] == list(signature.output_indices) == ["output_0"]
    assert signature.inputs[0].shape == (None, 4)


def test_files_without_signature(dense_file, tmp_path):
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(dense_file.read_bytes(), 0))
    model.signatureDefs = None
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    (tmp_path / "bare.tflite").write_bytes(bytes(builder.Output()))
    lite = LiteModel(tmp_path / "bare.tflite")
    x = np.ones((2, 4), "float32")
    np.testing.assert_allclose(lite.predict(x), LiteModel(dense_file).predict(x), atol=1e-6)


def test_more_than_ten_outputs_stay_in_order(tmp_path):
    inputs = keras.Input((2,))
    model = keras.Model(inputs, [inputs * float(i) for i in range(12)])
    outputs = LiteModel(export(model, tmp_path / "m.tflite").path).predict(np.ones((1, 2)))
    assert [float(array[0, 0]) for array in outputs] == [float(i) for i in range(12)]


def test_only_info_lines_of_stderr_are_held_back(capfd):
    with quiet_stderr():
        os.write(2, b"INFO: Created a delegate\nWARNING: look here\n")
    assert capfd.readouterr().err == "WARNING: look here\n"


def test_stderr_that_was_held_back_is_shown_after_an_error(capfd):
    def fail():
        with quiet_stderr():
            os.write(2, b"ERROR: before the end\n")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert capfd.readouterr().err == "ERROR: before the end\n"


@contextlib.contextmanager
def standard_error(descriptor):
    """Another file in the place of standard error."""
    saved = os.dup(2)
    os.dup2(descriptor, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


@pytest.mark.parametrize("stream", [None, io.StringIO()])
def test_a_program_without_standard_error(monkeypatch, stream):
    if stream is not None:
        stream.close()
    monkeypatch.setattr(sys, "stderr", stream)
    with quiet_stderr():
        os.write(2, b"INFO: a line\n")


def test_a_reader_of_standard_error_that_is_gone():
    reader, writer = os.pipe()
    os.close(reader)
    with standard_error(writer), quiet_stderr():
        os.write(2, b"ERROR: a line\n")
    os.close(writer)


def test_a_full_disk_behind_standard_error():
    with open("/dev/full", "wb", buffering=0) as full, standard_error(full.fileno()), quiet_stderr():
        os.write(2, b"ERROR: a line\n")


def test_a_file_of_the_user_in_the_place_of_standard_error_is_left_alone(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "__stderr__", None)  # as it is if standard error was closed at the start
    path = tmp_path / "mine.bin"
    with path.open("wb", buffering=0) as mine, standard_error(mine.fileno()), quiet_stderr():
        os.write(2, b"INFO: my data")
        assert path.read_bytes() == b"INFO: my data"
    assert path.read_bytes() == b"INFO: my data"


def test_control_characters_of_tensor_names_are_escaped(capfd):
    with quiet_stderr():
        os.write(2, b"ERROR: tensor \x1b[2J\xff\n")
    assert capfd.readouterr().err == "ERROR: tensor \\u001b[2J\\xff\n"
