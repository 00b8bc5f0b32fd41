"""The program of a trial, run in this process: what it finds, and what it leaves to whoever opens a file."""

import mmap

import numpy as np
import pytest

from keras_kd.deployment.litemodel import LiteModel
from keras_kd.deployment.opening import tflite_trial
from keras_kd.deployment.opening.tflite_trial import examine, load, make_interpreter
from tests.deployment import small
from tests.deployment.damage import changed, crashing


@pytest.mark.parametrize("build", [small.dense, small.text, small.any_size, small.lstm])
def test_whole_files_are_run(build, small_file):
    path = small_file(build)[1].path
    assert examine(path) == (load(path)[1], None)


def test_damaged_numbers_are_found_before_the_interpreter_uses_them(small_file, tmp_path):
    path = tmp_path / "damaged.tflite"
    path.write_bytes(crashing(small_file, float("nan")))
    assert "has the scale nan" in examine(path)[1]


def test_files_of_another_structure_are_left_to_the_interpreter(dense_file, tmp_path):
    path = tmp_path / "other.tflite"
    for content in (b"", b"text", dense_file.read_bytes()[:300]):
        path.write_bytes(content)
        assert examine(path)[1] is None


def test_a_file_that_cannot_be_run_is_not_opened_twice(dense_file, tmp_path):
    """After such a failure, LiteRT may crash when it cleans up."""
    path = tmp_path / "other.tflite"
    path.write_bytes(_with_unknown_operator(dense_file))
    assert examine(path)[1].startswith("cannot be run: Encountered unresolved custom op: Unheard")
    with pytest.raises(ValueError, match=r"other\.tflite' cannot be run: Encountered unresolved custom op"):
        LiteModel(path)


def _with_unknown_operator(path):
    def change(model):
        model.operatorCodes[0].builtinCode = 32  # a custom one
        model.operatorCodes[0].deprecatedBuiltinCode = 32
        model.operatorCodes[0].customCode = b"Unheard"

    return changed(path.read_bytes(), change)


def test_too_much_memory_is_a_fault(dense_file, tmp_path, monkeypatch):
    def run(interpreter, length):
        raise MemoryError

    monkeypatch.setattr(tflite_trial, "_run", run)
    assert examine(dense_file)[1] == "it needs more memory than this machine has"


def test_a_large_file_stays_on_the_disk(dense_file, tmp_path, monkeypatch):
    x = np.ones((1, 4), "float32")
    results, digests = [], []
    for limit in (2**28, 16):
        monkeypatch.setattr(tflite_trial, "READ_BELOW", limit)
        content, digest = load(dense_file)
        interpreter = make_interpreter(dense_file, content, 1)
        interpreter.allocate_tensors()
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
        interpreter.invoke()
        results.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))
        digests.append(digest)
    assert isinstance(content, mmap.mmap)
    assert examine(dense_file) == (digests[0], None)
    assert digests[0] == digests[1]
    np.testing.assert_array_equal(*results)
