"""export: what it writes, what it reports, and what it refuses."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_kd.deployment import tflite
from keras_kd.deployment.litemodel import LiteModel
from keras_kd.deployment.tflite import export
from tests.deployment import small

# Tiny models lose more in 8 bits than real ones; these hold for all of them.
TOLERANCE = {None: 1e-5, "float16": 5e-3, "dynamic": 0.05, "int8": 0.15, "int16x8": 0.05}
# Most of these files are read by other fast tests too, and made once.
FAST = [(small.cnn, kind) for kind in ("dynamic", "int8")]
FAST += [(build, None) for build in (small.dicts, small.half, small.lstm)]
FAST += [(build, "int8") for build in (small.text, small.unrolled)]
# Every model with at least three kinds, every kind with at least six models. Left out is what cannot be:
# recurrent loops crash the converter for integers, token ids and LayerNorm do not go in 16 bits.
PAIRS = {
    "float16": [
        small.cnn,
        small.conv1d,
        small.lists,
        small.half,
        small.nested_gru,
        small.text,
        small.unrolled,
    ],
    "dynamic": [small.dicts, small.softmax, small.custom, small.lstm, small.attention],
    "int8": [small.lists, small.softmax, small.subclassed, small.conv1d, small.half, small.attention],
    "int16x8": [small.cnn, small.dicts, small.subclassed, small.custom, small.conv1d, small.unrolled],
    None: [small.nested_gru, small.attention, small.text, small.subclassed, small.softmax, small.lists],
}
SLOW = [(build, kind) for kind, builds in PAIRS.items() for build in builds]
SLOW += [(build, "int8") for build in (small.dicts, small.custom)]
MATRIX = [pytest.param(*pair) for pair in FAST]
MATRIX += [pytest.param(*pair, marks=pytest.mark.slow) for pair in SLOW]


def flat(structure):
    return [np.asarray(array) for array in keras.tree.flatten(structure)]


@pytest.mark.parametrize(
    ("build", "kind"),
    MATRIX,
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_the_file_predicts_what_keras_predicts(build, kind, small_file):
    model, exported = small_file(build, kind)
    x = small.data(model)
    received, wanted = LiteModel(exported.path).predict(x), model(x, training=False)
    keras.tree.assert_same_structure(received, wanted)
    tolerance = TOLERANCE["float16"] if build is small.half and kind is None else TOLERANCE[kind]
    for got, want in zip(flat(received), flat(wanted), strict=True):
        assert np.abs(got - want).max() <= tolerance * max(1.0, np.abs(want).max())
    assert exported.max_error <= tolerance * max(np.abs(want).max() for want in [*flat(wanted), np.ones(1)])
    assert exported.bytes == exported.path.stat().st_size
    assert exported.gzip_bytes > 0
    assert not exported.needs_flex


def test_half_precision_models_keep_their_policy_and_say_what_the_file_does(small_file):
    model, exported = small_file(small.half)
    assert {layer.dtype_policy.name for layer in model.layers[1:]} == {"mixed_float16"}
    assert model(small.data(model)).dtype == "float16"
    assert exported.notes == ("the Keras model computes in half precision, the file in float32",)


@pytest.mark.parametrize(
    ("kind", "io", "types"),
    [
        ("int8", "float32", ("float32", "float32")),
        ("int8", "int8", ("int8", "int8")),
        ("int8", "uint8", ("uint8", "uint8")),
        ("int16x8", "int16", ("int16", "int16")),
    ],
)
def test_io_types_are_honoured_and_dequantized(kind, io, types, small_file):
    dense, exported = small_file(small.dense, kind, io=io)
    x = small.data(dense)
    assert (exported.inputs[0].dtype, exported.outputs[0].dtype) == types
    assert (exported.inputs[0].scale > 0) == (io != "float32")
    assert exported.float_tensors == ()
    assert np.abs(LiteModel(exported.path).predict(x) - np.asarray(dense(x))).max() < 0.1


def test_token_inputs_stay_integers_when_io_is_int8(small_file):
    _, exported = small_file(small.text, "int8", io="int8")
    assert (exported.inputs[0].dtype, exported.outputs[0].dtype) == ("int32", "int8")


def test_what_is_left_in_float_is_reported(tmp_path):
    ids = keras.Input((6,), dtype="int32", name="ids")
    x = keras.layers.GlobalAveragePooling1D()(keras.layers.Embedding(20, 8, mask_zero=True)(ids))
    model = keras.Model(ids, keras.layers.Dense(3)(x))
    exported = export(model, tmp_path / "m.tflite", quantization="int8", calibration=small.data(model))
    assert len(exported.float_tensors) == 1
    assert "left in float 1 tensor" in str(exported)


def test_dynamic_says_when_nothing_was_quantized(small_file):
    (_, tiny), (_, wide) = small_file(small.dense, "dynamic"), small_file(small.wide, "dynamic")
    assert "nothing was quantized" in tiny.notes[0]
    assert wide.notes == ()
    assert wide.bytes < small_file(small.wide)[1].bytes / 2


def test_dynamic_names_large_weights_left_in_float(tmp_path):
    model = keras.Sequential([keras.Input((32,)), keras.layers.Dense(2048), small.Scale(name="scale")])
    model.layers[-1].scale.assign(np.linspace(0.5, 2, 2048))
    exported = export(model, tmp_path / "m.tflite", quantization="dynamic")
    assert len(exported.notes) == 1
    assert re.match("weights left in float: .*scale", exported.notes[0])


@pytest.mark.slow
def test_recurrent_models_get_a_batch_of_one_and_say_so(small_file):
    _, exported = small_file(small.lstm, batch_size=None)
    assert exported.batch_size == 1
    (note,) = exported.notes
    assert note.startswith("the batch is fixed at 1 because of the recurrent layer 'lstm")
    assert small_file(small.unrolled, "int8", batch_size=None)[1].batch_size is None


def test_batch_can_be_fixed(small_file):
    dense, exported = small_file(small.dense, batch_size=3, allow_flex=True)
    assert exported.inputs[0].shape == (3, 4)
    x = small.data(dense, 7)
    np.testing.assert_allclose(LiteModel(exported.path).predict(x), dense(x), atol=1e-6)


def test_images_of_any_size(small_file):
    model, exported = small_file(small.any_size)
    lite = LiteModel(exported.path)
    for side in (8, 13):
        x = np.ones((2, side, side, 1), "float32")
        np.testing.assert_allclose(lite.predict(x), model(x), atol=1e-6)


def test_integer_outputs(small_file):
    model, exported = small_file(small.pixels)
    assert {tensor.name: tensor.dtype for tensor in exported.outputs} == {
        "classes": "int64",
        "scores": "float32",
    }
    pixels = np.random.default_rng(0).integers(0, 256, (5, 6, 6, 1)).astype("uint8")
    np.testing.assert_array_equal(
        LiteModel(exported.path).predict(pixels)["classes"], model(pixels)["classes"]
    )


def test_export_of_a_distiller_writes_its_student_and_leaves_it_and_the_terminal_alone(tmp_path, capfd):
    model = small.dense()
    model.compile("adam", "mse")
    before = [weight.numpy() for weight in model.weights]
    exported = export(small.Distilling(model), tmp_path / "m.tflite")
    x = small.data(model)
    np.testing.assert_allclose(LiteModel(exported.path).predict(x), model(x), atol=1e-6)
    assert model.compiled
    for old, new in zip(before, model.weights, strict=True):
        np.testing.assert_array_equal(old, new.numpy())
    assert list(tmp_path.iterdir()) == [exported.path]
    captured = capfd.readouterr()
    assert captured.out == ""
    assert "INFO" not in captured.err


def test_nan_in_keras_is_found(dense, tmp_path):
    model = small.dense()
    model.layers[-1].bias.assign([0.0, np.nan, 0.0])
    with pytest.raises(
        ValueError, match=r"Output 'output_0' of 'dense' holds NaN or infinity in Keras already"
    ):
        export(model, tmp_path / "m.tflite")


# What the converter and the interpreter refuse.


def test_operators_that_need_flex_are_named(tmp_path):
    model = small.applied(tf.linalg.inv, (3, 3))
    message = r"TensorFlow Lite does not have these operators: MatrixInverse\. .*allow_flex=True"
    x = np.eye(3, dtype="float32") * np.arange(1, 5, dtype="float32")[:, None, None]
    with pytest.raises(ValueError, match=message):
        export(model, tmp_path / "m.tflite", calibration=np.repeat(x, 10, 0))
    assert list(tmp_path.iterdir()) == []
    exported = export(model, tmp_path / "m.tflite", calibration=np.repeat(x, 10, 0), allow_flex=True)
    assert exported.needs_flex
    assert exported.operators == {"FlexMatrixInverse": 1}
    assert (exported.max_error, exported.compared) == (None, 0)
    assert "needs the Flex delegate for FlexMatrixInverse; it was not run" in exported.notes[0]
    assert "max |error|   not run" in str(exported)
    with pytest.raises(ValueError, match=r"cannot be run: .*Select TensorFlow op"):
        LiteModel(exported.path)


def test_operators_that_even_flex_lacks(tmp_path):
    model = small.applied(lambda x: tf.math.betainc(x, x, x))
    with pytest.raises(ValueError, match=r"even with Flex, does not have these operators: Betainc\. Replace"):
        export(model, tmp_path / "m.tflite", allow_flex=True)


def test_flex_that_is_not_needed_changes_nothing(small_file):
    _, exported = small_file(small.dense, batch_size=3, allow_flex=True)
    assert not exported.needs_flex
    assert exported.operators == {"FULLY_CONNECTED": 1}
    assert exported.max_error < 1e-6


@pytest.mark.slow
def test_files_that_convert_and_cannot_run(tmp_path):
    model = small.attention()
    with pytest.raises(
        ValueError, match=r"int16x8 file of 'attention' converts and then fails to run: Squared"
    ):
        export(model, tmp_path / "m.tflite", quantization="int16x8", calibration=small.data(model))
    # Its parts have a shape of [0] unless the batch is fixed.
    model = small.applied(lambda x: tf.math.lgamma(x + 1))
    with pytest.raises(ValueError, match=r"fails to run: .* A fixed batch may help: batch_size=1\."):
        export(model, tmp_path / "m.tflite", batch_size=None)
    assert list(tmp_path.iterdir()) == []
    assert export(model, tmp_path / "m.tflite").max_error < 1e-5


def test_conversions_that_fail_say_why_and_what_to_try(tmp_path):
    model = small.text()
    message = (
        "The converter cannot make an int16x8 file of 'text': Max and min for dynamic tensors .* Try quant"
    )
    with pytest.raises(ValueError, match=message) as caught:
        export(model, tmp_path / "m.tflite", quantization="int16x8", calibration=small.data(model))
    assert "\n" not in str(caught.value)
    wrong = small.applied(lambda x: tf.linalg.svd(x, compute_uv=False), (3, 3))
    with pytest.raises(ValueError, match=r"float16 file of 'applied'.* Svd"):
        export(wrong, tmp_path / "m.tflite", quantization="float16")


def test_a_file_that_predicts_something_else_is_not_written(tmp_path):
    class Noise(keras.layers.Layer):
        def call(self, x):
            return x + tf.random.uniform(tf.shape(x))

    model = keras.Sequential([keras.Input((4,)), Noise()], name="noisy")
    with pytest.raises(ValueError, match=r"float32 file of 'noisy' is wrong: output 'output_0' is off by"):
        export(model, tmp_path / "m.tflite", batch_size=2)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("step", ["_file_outputs", "inspect_file"])
def test_the_hidden_name_of_the_file_is_in_no_error(step, tmp_path, monkeypatch):
    def fails(request, *args, **options):
        raise ValueError(f"{str(request.file)!r} cannot be run")

    monkeypatch.setattr(tflite, step, fails)
    with pytest.raises(ValueError, match=r"^The converted file cannot be run$"):
        export(small.dense(), tmp_path / "m.tflite")


def test_models_that_only_run_eagerly(tmp_path):
    class Eager(keras.layers.Layer):
        def call(self, x):
            return tf.constant(x.numpy())

        def compute_output_spec(self, x):
            return keras.KerasTensor(x.shape, x.dtype)

    model = keras.Sequential([keras.Input((4,)), Eager()], name="eager")
    with pytest.raises(ValueError, match=r"'eager' cannot be saved for inference: .*numpy"):
        export(model, tmp_path / "m.tflite")


def test_bytes_go_in_as_bytes(small_file):
    model, exported = small_file(small.pixels)
    assert exported.inputs[0].dtype == "uint8"
    pixels = np.full((2, 6, 6, 1), 200, "uint8")
    np.testing.assert_allclose(
        LiteModel(exported.path).predict(pixels)["scores"], model(pixels)["scores"], atol=1e-5
    )
