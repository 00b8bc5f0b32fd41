"""LiteModel: running files, and files that are not what they should be."""

import numpy as np
import pytest
import tensorflow as tf

from keras_kd.deployment.litemodel import LiteModel
from keras_kd.deployment.tensor_details import TensorDetails
from tests.deployment import small


def test_any_number_of_samples_in_any_order_of_sizes(dense, dense_file):
    lite = LiteModel(dense_file)
    x = small.data(dense, 70)
    for rows in (1, 70, 3, 33, 1):
        np.testing.assert_allclose(lite.predict(x[:rows]), dense(x[:rows]), atol=1e-6)
    np.testing.assert_allclose(lite.predict(x, batch_size=7), dense(x), atol=1e-6)
    assert lite.predict(x[:0]).shape == (0, 3)
    assert lite.predict(x[:0]).dtype == "float32"


def test_inputs_and_outputs_are_described(dense_file, int8_file):
    lite = LiteModel(dense_file)
    assert lite.inputs == (TensorDetails("input_0", (None, 4), "float32"),)
    assert lite.outputs == (TensorDetails("output_0", (None, 3), "float32"),)
    assert str(lite.inputs[0]) == "input_0 (?, 4) float32"
    assert repr(lite) == f"LiteModel({str(dense_file)!r}, threads=1)"
    quantized = LiteModel(int8_file, threads=2).inputs[0]
    assert quantized.scale > 0
    assert f"int8 scale {quantized.scale:.4g} zero {quantized.zero_point}" in str(quantized)


def test_results_are_copies(dense, dense_file):
    lite = LiteModel(dense_file)
    first = lite.predict(np.ones((2, 4)))
    kept = first.copy()
    lite.predict(np.zeros((2, 4)))
    np.testing.assert_array_equal(first, kept)


def test_inputs_that_make_the_file_fail(small_file):
    lite = LiteModel(small_file(small.any_size)[1].path)
    with pytest.raises(
        ValueError, match=r"cannot be run with inputs of shape \{'input_0': \(1, 1, 1, 1\)\}: "
    ):
        lite.predict(np.ones((1, 1, 1, 1)))
    assert lite.predict(np.ones((1, 3, 3, 1))).shape == (1, 1, 1, 2)
    words = LiteModel(small_file(small.text, "int8")[1].path)
    with pytest.raises(ValueError, match=r"\.tflite' cannot be run: gather index out of bounds"):
        words.predict(np.full((1, 6), 99))


def test_lists_keep_the_order_of_keras(small_file):
    x = [np.full((2, 4), 3, "float32"), np.zeros((2, 4), "float32")]
    lite = LiteModel(small_file(small.lists)[1].path)
    first, second = lite.predict(x)
    assert (first.shape, second.shape) == ((2, 3), (2, 2))
    by_name = lite.predict({"input_1": x[1], "input_0": x[0]})
    np.testing.assert_array_equal(by_name[0], first)


def test_values_outside_the_range_are_clipped(dense, int8_file):
    lite = LiteModel(int8_file)
    far, edge = np.full((1, 4), 1e9), np.full((1, 4), 100.0)
    np.testing.assert_array_equal(lite.predict(far), lite.predict(edge))


def test_integer_inputs(small_file):
    lite = LiteModel(small_file(small.text, "int8")[1].path)
    ids = np.full((2, 6), 3)
    np.testing.assert_array_equal(lite.predict(ids.astype("float32")), lite.predict(ids))
    with pytest.raises(TypeError, match="takes int32; received float64 with fractions"):
        lite.predict(ids + 0.5)
    assert lite.predict(np.zeros((0, 6))).shape == (0, 3)


def test_nan_for_a_quantized_input(dense_file, int8_file):
    x = np.full((1, 4), np.nan)
    assert np.isnan(LiteModel(dense_file).predict(x)).all()
    with pytest.raises(ValueError, match="'input_0' is quantized and cannot take NaN or infinity"):
        LiteModel(int8_file).predict(x)


@pytest.mark.parametrize("batch_size", [1, pytest.param(7, marks=pytest.mark.slow)])
def test_a_fixed_batch_runs_any_number_of_samples(batch_size, small_file):
    for io in ("float32", "int8"):
        dense, exported = small_file(small.dense, "int8", io=io, batch_size=batch_size)
        lite, x = LiteModel(exported.path), small.data(dense, 600)
        assert lite.batch_size == batch_size
        outputs = lite.predict(x)
        assert outputs.shape == (600, 3)
        for rows in (1, 5, 257):
            np.testing.assert_array_equal(lite.predict(x[:rows]), outputs[:rows])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of TensorFlow's own converter
def test_a_file_of_another_program_whose_outputs_have_no_batch_axis(tmp_path):
    @tf.function(input_signature=[tf.TensorSpec((1, 5, 2), name="steps")])
    def time_major(x):
        return {"swapped": tf.transpose(x, (1, 0, 2))}

    module = tf.Module()
    tf.saved_model.save(module, str(tmp_path / "saved"), signatures={"serving_default": time_major})
    content = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "saved")).convert()
    (tmp_path / "m.tflite").write_bytes(content)
    message = r"Output 'swapped' of .* has no batch axis: for a batch of 1 its shape is \(5, 1, 2\)"
    with pytest.raises(ValueError, match=message):
        LiteModel(tmp_path / "m.tflite").predict(np.ones((3, 5, 2)))
