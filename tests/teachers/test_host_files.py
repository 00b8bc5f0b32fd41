"""`.tflite` and `.onnx` files against the models that they were made of."""

import numpy as np
import pytest

import keras_kd as kd
from keras_kd.teachers.host_files import lite_teacher, onnx_digest, onnx_teacher, open_onnx
from tests.teachers.conftest import X


@pytest.mark.slow
def test_a_tflite_file_of_fixed_batch_size_answers_for_any_number_of_samples(with_lite):
    folder, expected = with_lite
    teacher = lite_teacher(kd.LiteModel(folder / "net.tflite"), "net")
    assert (tuple(teacher.inputs.shape), teacher.inputs.dtype) == ((None, 4), "float32")
    for samples in (1, 4, 6):
        found = teacher.answer(X[:samples])
        np.testing.assert_allclose(found["output"], expected[:samples], atol=1e-5)


def linear(path, batch, kernel, outputs=("y",), dtype=1):
    """An ONNX file that multiplies by a matrix, made by hand."""
    onnx = pytest.importorskip("onnx", reason="the package onnx writes these files")
    helper = onnx.helper
    nodes = [helper.make_node("MatMul", ["x", "w"], [name]) for name in outputs]
    shapes = [helper.make_tensor_value_info(name, dtype, [batch, kernel.shape[1]]) for name in outputs]
    graph = helper.make_graph(
        nodes,
        "linear",
        [helper.make_tensor_value_info("x", dtype, [batch, kernel.shape[0]])],
        shapes,
        [onnx.numpy_helper.from_array(kernel, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path.write_bytes(model.SerializeToString())
    return path


KERNEL = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")


@pytest.mark.parametrize(("batch", "outputs"), [("batch", ("y",)), (4, ("y", "z"))])
def test_an_onnx_file(tmp_path, batch, outputs):
    pytest.importorskip("onnxruntime", reason="the package onnxruntime runs these files")
    path = linear(tmp_path / "linear.onnx", batch, KERNEL, outputs)
    teacher = onnx_teacher(open_onnx(path), "linear")
    assert tuple(teacher.inputs.shape) == (None, 4)
    taps = ["output"] if len(outputs) == 1 else ["output/y", "output/z"]
    for samples in (1, 4, 6):
        found = teacher.answer(X[:samples])
        assert list(found) == taps
        for array in found.values():
            np.testing.assert_allclose(array, X[:samples] @ KERNEL, atol=1e-5)


def test_the_digest_of_an_onnx_file_is_that_of_weights_beside_it_as_well(tmp_path):
    onnx = pytest.importorskip("onnx", reason="the package onnx writes these files")
    path = linear(tmp_path / "large.onnx", "batch", np.ones((64, 64), "float32"))
    alone = onnx_digest(path)
    model = onnx.load(path)
    onnx.save_model(model, path, save_as_external_data=True, location="large.weights", size_threshold=0)
    whole = onnx_digest(path)
    (tmp_path / "notes.txt").write_text("of something else")
    assert onnx_digest(path) == whole != alone
    weights = tmp_path / "large.weights"
    weights.write_bytes(b"1" + weights.read_bytes()[1:])
    assert onnx_digest(path) != whole


def test_files_that_do_not_load(tmp_path):
    pytest.importorskip("onnxruntime", reason="the package onnxruntime runs these files")
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"no protocol buffer")
    with pytest.raises(ValueError, match=r"broken\.onnx' does not load as an ONNX file"):
        open_onnx(path)
    with pytest.raises(FileNotFoundError, match=r"There is no file .*brokn\.onnx'\. Did you mean 'broken"):
        open_onnx(tmp_path / "brokn.onnx")


def test_without_the_runtime(tmp_path, monkeypatch):
    (tmp_path / "m.onnx").write_bytes(b"")
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    with pytest.raises(ImportError, match=r"needs the package onnxruntime.*keras-kd\[onnx\]"):
        open_onnx(tmp_path / "m.onnx")
