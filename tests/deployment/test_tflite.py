"""export: what it writes, what it reports, and what it refuses."""

import dataclasses
import json
import re
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_kd.deployment.litemodel import LiteModel
from keras_kd.deployment.serving import serving
from keras_kd.deployment.tflite import _failure, _io_fault, export
from tests.deployment import small

KINDS = [None, "float16", "dynamic", "int8", "int16x8"]
# Tiny models lose more in 8 bits than real ones; these hold for all of them.
TOLERANCE = {None: 1e-5, "float16": 5e-3, "dynamic": 0.05, "int8": 0.15, "int16x8": 0.05}
ALL = [small.cnn, small.dicts]
SOME = [small.softmax, small.lists, small.subclassed, small.custom, small.conv1d, small.half, small.unrolled]
# Recurrent loops crash the converter for integers; token ids and LayerNorm do not go in 16 bits.
LIMITED = {
    small.lstm: KINDS[:3],
    small.nested_gru: KINDS[:3],
    small.text: KINDS[:4],
    small.attention: KINDS[:4],
}
SLOW = [(build, kind) for build in [*SOME, *LIMITED] for kind in LIMITED.get(build, KINDS)]
FAST = [(build, kind) for build in ALL for kind in KINDS]
FAST += [(build, "int8" if build in (small.custom, small.text, small.unrolled) else None) for build in SOME]
FAST += [(small.lstm, None), (small.text, "int8")]
MATRIX = [pytest.param(*pair) for pair in FAST]
MATRIX += [pytest.param(*pair, marks=pytest.mark.slow) for pair in SLOW if pair not in FAST]


def flat(structure):
    return [np.asarray(array) for array in keras.tree.flatten(structure)]


@pytest.mark.parametrize(
    ("build", "kind"),
    MATRIX,
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_the_file_says_what_keras_says(build, kind, tmp_path):
    model = build()
    x = small.data(model)
    exported = export(
        model, tmp_path / "m.tflite", quantization=kind, calibration=x if kind in KINDS[3:] else None
    )
    found, wanted = LiteModel(exported.path).predict(x), model(x, training=False)
    keras.tree.assert_same_structure(found, wanted)
    tolerance = TOLERANCE["float16"] if build is small.half and kind is None else TOLERANCE[kind]
    for got, want in zip(flat(found), flat(wanted), strict=True):
        assert np.abs(got - want).max() <= tolerance * max(1.0, np.abs(want).max())
    assert exported.max_error <= tolerance * max(np.abs(want).max() for want in [*flat(wanted), np.ones(1)])
    assert exported.bytes == exported.path.stat().st_size
    assert exported.gzip_bytes > 0
    assert not exported.needs_flex
    assert list(tmp_path.iterdir()) == [exported.path]


def test_half_precision_models_keep_their_policy_and_say_what_the_file_does(tmp_path):
    model = small.half()
    exported = export(model, tmp_path / "m.tflite")
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
def test_io_types_are_honoured_and_dequantized(kind, io, types, dense, tmp_path):
    x = small.data(dense)
    exported = export(dense, tmp_path / "m.tflite", quantization=kind, calibration=x, io=io)
    assert (exported.inputs[0].dtype, exported.outputs[0].dtype) == types
    assert (exported.inputs[0].scale > 0) == (io != "float32")
    assert exported.float_tensors == ()
    assert np.abs(LiteModel(exported.path).predict(x) - np.asarray(dense(x))).max() < 0.1


def test_token_inputs_stay_integers_when_io_is_int8(tmp_path):
    model = small.text()
    exported = export(
        model, tmp_path / "m.tflite", quantization="int8", calibration=small.data(model), io="int8"
    )
    assert (exported.inputs[0].dtype, exported.outputs[0].dtype) == ("int32", "int8")


def test_what_is_left_in_float_is_reported(tmp_path):
    ids = keras.Input((6,), dtype="int32", name="ids")
    x = keras.layers.GlobalAveragePooling1D()(keras.layers.Embedding(20, 8, mask_zero=True)(ids))
    model = keras.Model(ids, keras.layers.Dense(3)(x))
    exported = export(model, tmp_path / "m.tflite", quantization="int8", calibration=small.data(model))
    assert len(exported.float_tensors) == 1
    assert "left in float 1 tensor" in str(exported)


def test_dynamic_says_when_nothing_was_quantized(dense, tmp_path):
    tiny = export(dense, tmp_path / "tiny.tflite", quantization="dynamic")
    wide = export(small.wide(), tmp_path / "wide.tflite", quantization="dynamic")
    assert "nothing was quantized" in tiny.notes[0]
    assert wide.notes == ()
    assert wide.bytes < export(small.wide(), tmp_path / "float.tflite").bytes / 2


def test_dynamic_names_large_weights_left_in_float(tmp_path):
    model = keras.Sequential([keras.Input((32,)), keras.layers.Dense(2048), small.Scale(name="scale")])
    model.layers[-1].scale.assign(np.linspace(0.5, 2, 2048))
    exported = export(model, tmp_path / "m.tflite", quantization="dynamic")
    assert len(exported.notes) == 1
    assert re.match("weights left in float: .*scale", exported.notes[0])


@pytest.mark.slow
def test_recurrent_models_get_a_batch_of_one_and_say_so(tmp_path):
    model = small.nested_gru()
    exported = export(model, tmp_path / "m.tflite")
    assert exported.batch_size == 1
    assert exported.notes == ("the batch is fixed at 1 because of the recurrent layer 'deep_gru'",)
    assert export(small.unrolled(), tmp_path / "u.tflite").batch_size is None


def test_batch_can_be_fixed(dense, tmp_path):
    exported = export(dense, tmp_path / "m.tflite", batch_size=3)
    assert exported.inputs[0].shape == (3, 4)
    x = small.data(dense, 7)
    np.testing.assert_allclose(LiteModel(exported.path).predict(x), dense(x), atol=1e-6)
    inputs = keras.Input(batch_shape=(4, 5))
    model = keras.Model(inputs, keras.layers.Dense(2)(inputs), name="fours")
    assert export(model, tmp_path / "fours.tflite").batch_size == 4
    with pytest.raises(ValueError, match=r"batch_size=3 does not fit 'fours', whose inputs fix it at 4"):
        export(model, tmp_path / "threes.tflite", batch_size=3)


def test_images_of_any_size(tmp_path):
    image = keras.Input((None, None, 1))
    model = keras.Model(image, keras.layers.Conv2D(2, 3)(image))
    lite = LiteModel(export(model, tmp_path / "m.tflite").path)
    for side in (8, 13):
        x = np.ones((2, side, side, 1), "float32")
        np.testing.assert_allclose(lite.predict(x), model(x), atol=1e-6)


def test_subclassed_models_with_integer_inputs(tmp_path):
    class Words(keras.Model):
        def __init__(self):
            super().__init__(name="words")
            self.embedding = keras.layers.Embedding(9, 4)

        def call(self, x):
            return keras.ops.mean(self.embedding(x["my ids"]), axis=1)

    model = Words()
    model({"my ids": np.zeros((2, 3), "int32")})
    spec = {"my ids": keras.InputSpec(shape=(None, 3), dtype="int32")}
    exported = export(model, tmp_path / "m.tflite", inputs=spec)
    assert [(tensor.name, tensor.dtype) for tensor in exported.inputs] == [("my_ids", "int32")]
    assert export(model, tmp_path / "guessed.tflite").inputs[0].dtype == "float32"


def test_subclassed_models_with_several_inputs(tmp_path):
    class Pair(keras.Model):
        def __init__(self):
            super().__init__(name="pair")
            self.dense = keras.layers.Dense(2)

        def call(self, x):
            return self.dense(x[0]) - self.dense(x[1])

    model = Pair()
    x = [np.ones((3, 4), "float32"), np.zeros((3, 4), "float32")]
    wanted = model(x)
    np.testing.assert_allclose(
        LiteModel(export(model, tmp_path / "m.tflite").path).predict(x), wanted, atol=1e-6
    )


def test_whole_number_outputs(tmp_path):
    model = small.applied(lambda x: tf.argmax(x, -1))
    exported = export(model, tmp_path / "m.tflite")
    assert exported.outputs[0].dtype == "int64"
    assert exported.max_error == 0


def test_the_student_of_a_distiller_is_exported(dense, tmp_path):
    class Distiller(keras.Model):
        def __init__(self, student):
            super().__init__()
            self.student = student

    exported = export(Distiller(dense), tmp_path / "m.tflite")
    x = small.data(dense)
    np.testing.assert_allclose(LiteModel(exported.path).predict(x), dense(x), atol=1e-6)


def test_export_leaves_the_model_and_the_terminal_alone(tmp_path, capfd):
    model = small.cnn()
    model.compile("adam", "mse")
    before = [weight.numpy() for weight in model.weights]
    exported = export(model, tmp_path / "m.tflite")
    LiteModel(exported.path).predict(small.data(model))
    assert model.compiled
    for old, new in zip(before, model.weights, strict=True):
        np.testing.assert_array_equal(old, new.numpy())
    captured = capfd.readouterr()
    assert captured.out == ""
    assert "INFO" not in captured.err


def test_exported_prints_and_turns_into_json(dense, tmp_path):
    exported = export(dense, tmp_path / "m.tflite", quantization="int8", calibration=small.data(dense))
    lines = str(exported).splitlines()
    assert lines[0] == f"file          {tmp_path / 'm.tflite'}"
    assert lines[1] == "quantization  int8"
    assert re.fullmatch(r"size          [\d,]+ bytes, [\d,]+ after gzip", lines[2])
    assert lines[3] == "batch         free"
    assert lines[4] == "input         input_0 (?, 4) float32"
    assert lines[6] == "operators     DEQUANTIZE 1, FULLY_CONNECTED 1, QUANTIZE 1"
    assert re.fullmatch(r"max \|error\|   [\d.e-]+ on 16 samples", lines[7])
    parsed = json.loads(exported.to_json())
    assert parsed == exported.to_dict()
    assert parsed["inputs"][0]["shape"] == [None, 4]
    with pytest.raises(dataclasses.FrozenInstanceError):
        exported.bytes = 0


# What is refused before any conversion.


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"quantization": "int9"}, r"Unknown quantization 'int9'.*Did you mean 'int8'\?"),
        ({"quantization": "x"}, r"Unknown quantization 'x'; expected one of"),
        ({"quantization": "int8"}, "needs calibration=: some hundred samples"),
        ({"quantization": "int16x8"}, "needs calibration=: some hundred samples"),
        ({"io": "int8"}, r"io='int8' does not go with quantization=None; expected one of \('float32',\)"),
        ({"io": "int8", "quantization": "int16x8", "calibration": 0}, r"one of \('float32', 'int16'\)"),
        ({"batch_size": 0}, "batch_size must be None or a whole number of 1 or more; received 0"),
        ({"batch_size": True}, "received True"),
    ],
)
def test_options_that_do_not_fit(options, message, dense, tmp_path):
    with pytest.raises(ValueError, match=message):
        export(dense, tmp_path / "m.tflite", **options)
    assert list(tmp_path.iterdir()) == []


def test_paths_that_cannot_be_written(dense, tmp_path):
    with pytest.raises(ValueError, match=r"must end in .tflite; received .*m\.tfl'"):
        export(dense, tmp_path / "m.tfl")
    with pytest.raises(FileNotFoundError, match=r"folder .*no' does not exist; create it first"):
        export(dense, tmp_path / "no" / "m.tflite")
    (tmp_path / "old.tflite").write_bytes(b"old")
    with pytest.raises(FileExistsError, match="exists; pass overwrite=True to replace it"):
        export(dense, tmp_path / "old.tflite")
    assert (tmp_path / "old.tflite").read_bytes() == b"old"
    export(dense, tmp_path / "old.tflite", overwrite=True)
    assert LiteModel(tmp_path / "old.tflite").inputs[0].shape == (None, 4)
    (tmp_path / "folder.tflite").mkdir()
    with pytest.raises(IsADirectoryError, match="is a folder"):
        export(dense, tmp_path / "folder.tflite", overwrite=True)
    with pytest.raises(OSError, match="old"):
        export(dense, tmp_path / "old.tflite" / "m.tflite")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc is a folder that nobody can write to")
def test_read_only_folder(dense):
    with pytest.raises(OSError, match=r"m\.tflite"):
        export(dense, "/proc/m.tflite")


def test_what_is_not_a_model(tmp_path):
    with pytest.raises(
        TypeError, match=r"Expected a keras.Model; received str. Files: keras.models.load_model"
    ):
        export("student.keras", tmp_path / "m.tflite")


@pytest.mark.filterwarnings("ignore")  # Keras warns of its own quantization
def test_models_that_keras_quantized(tmp_path):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="head")], name="packed")
    model.get_layer("head").quantize("int8")
    with pytest.raises(ValueError, match=r"'packed' was quantized by Keras \('head': int8\)"):
        export(model, tmp_path / "m.tflite")


def test_stateful_recurrent_layers(tmp_path):
    model = keras.Sequential(
        [keras.Input(batch_shape=(1, 3, 2)), keras.layers.LSTM(2, stateful=True, name="memory")]
    )
    with pytest.raises(ValueError, match=r"Layer 'memory' keeps its state.*Set stateful=False"):
        export(model, tmp_path / "m.tflite")


def test_models_whose_inputs_are_not_known(tmp_path):
    with pytest.raises(ValueError, match="'subclassed' has not been built: call it once on a batch"):
        export(small.Subclassed(), tmp_path / "m.tflite")
    with pytest.raises(ValueError, match="has not been built"):
        export(keras.Sequential([keras.layers.Dense(2)]), tmp_path / "m.tflite")

    class Two(keras.Model):
        def call(self, x, y):
            return x + y

    two = Two(name="two")
    two(np.ones((2, 3)), np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"'two' cannot be run on samples of shape .*'y'"):
        export(two, tmp_path / "m.tflite")

    class TwoShapes(keras.Model):
        def build(self, a_shape, b_shape):
            pass

        def call(self, a, b):
            return a + b

    shapes = TwoShapes(name="shapes")
    shapes(np.ones((2, 3)), np.ones((2, 3)))
    with pytest.raises(
        ValueError, match=r"inputs of 'shapes' \(it takes \['a_shape', 'b_shape'\]\): give call\(\)"
    ):
        export(shapes, tmp_path / "m.tflite")
    inputs = {"a b": keras.InputSpec(shape=(None, 2)), "a/b": keras.InputSpec(shape=(None, 2))}
    with pytest.raises(ValueError, match="need distinct names; received"):
        export(two, tmp_path / "m.tflite", inputs=inputs)
    strings = keras.Sequential(
        [keras.Input((1,), dtype="string", name="word"), keras.layers.StringLookup(vocabulary=["a"])]
    )
    with pytest.raises(ValueError, match=r"Input 'word' .* takes strings, and a file takes numbers"):
        export(strings, tmp_path / "m.tflite")
    assert list(tmp_path.iterdir()) == []


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


def test_flex_that_is_not_needed_changes_nothing(dense, tmp_path):
    exported = export(dense, tmp_path / "m.tflite", allow_flex=True)
    assert not exported.needs_flex
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
        export(model, tmp_path / "m.tflite")
    assert list(tmp_path.iterdir()) == []
    assert export(model, tmp_path / "m.tflite", batch_size=1).max_error < 1e-5


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


@pytest.mark.slow
def test_crash_of_the_converter_is_an_error_with_advice(dense, tmp_path):
    model = small.lstm()
    message = (
        r"The converter crashed on making an int8 file of 'lstm': SIG\w+: .*"
        r"Try quantization='dynamic' or 'float16', or unroll=True in layer '\w+'\."
    )
    with pytest.raises(ValueError, match=message):
        export(model, tmp_path / "m.tflite", quantization="int8", calibration=small.data(model))
    assert list(tmp_path.iterdir()) == []
    assert export(dense, tmp_path / "m.tflite").max_error < 1e-6


@pytest.mark.parametrize(
    ("kind", "failed", "reason", "said"),
    [
        (
            "int8",
            "crash",
            "SIGKILL: Killed",
            "an int8 file of 'dense': SIGKILL: Killed. Something ended the process",
        ),
        ("float16", "convert", "x.", "cannot make a float16 file of 'dense': x. Try quantization=None."),
        (None, "convert", "x", "cannot make a float32 file of 'dense': x. Replace the layer that"),
        (
            "int16x8",
            "run",
            "x",
            "The int16x8 file of 'dense' converts and then fails to run: x. Try quantization=",
        ),
    ],
)
def test_advice(kind, failed, reason, said, dense):
    request = {"quantization": kind, "allow_flex": False, "batch_size": None}
    assert said in _failure(dense, request, {"failed": failed, "reason": reason})


def test_a_file_that_says_something_else_is_not_written(tmp_path):
    class Noise(keras.layers.Layer):
        def call(self, x):
            return x + tf.random.uniform(tf.shape(x))

    model = keras.Sequential([keras.Input((4,)), Noise()], name="noisy")
    with pytest.raises(ValueError, match=r"float32 file of 'noisy' is wrong: output 'output_0' is off by"):
        export(model, tmp_path / "m.tflite", batch_size=2)
    assert list(tmp_path.iterdir()) == []


def test_models_that_only_run_eagerly(tmp_path):
    class Eager(keras.layers.Layer):
        def call(self, x):
            return tf.constant(x.numpy())

        def compute_output_spec(self, x):
            return keras.KerasTensor(x.shape, x.dtype)

    model = keras.Sequential([keras.Input((4,)), Eager()], name="eager")
    with pytest.raises(ValueError, match=r"'eager' cannot be saved for inference: .*numpy"):
        export(model, tmp_path / "m.tflite")


def test_io_that_was_ignored_is_found(dense, dense_file, int8_file):
    served, outputs = serving(dense), {"output_0": np.zeros((1, 3), "float32")}
    assert _io_fault(served, LiteModel(dense_file), outputs, "float32") is None
    assert _io_fault(served, LiteModel(int8_file), outputs, "int8") is None
    said = "io='int8' was asked for, and input 'input_0' is float32"
    assert _io_fault(served, LiteModel(dense_file), outputs, "int8") == said
    indices = serving(small.text())
    said = "io='int8' was asked for, and output 'output_0' is float32"
    assert _io_fault(indices, LiteModel(dense_file), outputs, "int8") == said


def test_bytes_go_in_as_bytes(tmp_path):
    image = keras.Input((6, 6, 1), dtype="uint8", name="image")
    x = keras.layers.Rescaling(1 / 255)(keras.ops.cast(image, "float32"))
    model = keras.Model(image, keras.layers.Conv2D(2, 3)(x))
    exported = export(model, tmp_path / "m.tflite")
    assert exported.inputs[0].dtype == "uint8"
    pixels = np.full((2, 6, 6, 1), 200, "uint8")
    np.testing.assert_allclose(LiteModel(exported.path).predict(pixels), model(pixels), atol=1e-5)


def test_outputs_that_would_share_a_name_are_refused(tmp_path):
    inputs = keras.Input((4,))
    a, b = keras.layers.Dense(2)(inputs), keras.layers.Dense(3)(inputs)
    with pytest.raises(ValueError, match="both be called 'a_b'"):
        export(keras.Model(inputs, {"a": {"b": a}, "a_b": b}), tmp_path / "m.tflite")


def test_names_with_accents_become_plain(tmp_path):
    left, right = keras.Input((4,), name="é"), keras.Input((4,), name="入力")
    model = keras.Model({"é": left, "入力": right}, keras.layers.Dense(2)(left + right))
    exported = export(model, tmp_path / "m.tflite")
    assert exported.max_error < 1e-5
    assert all(tensor.name.isascii() for tensor in exported.inputs)
