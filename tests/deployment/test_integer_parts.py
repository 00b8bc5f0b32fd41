"""What of a file was quantized, by its contents; and whether it grew, by the size of the float32 file."""

import keras
import numpy as np
import pytest

from keras_kd.deployment.integer_parts import IntegerParts, about_integers, about_size
from keras_kd.deployment.tflite import export
from tests.deployment import small

layers = keras.layers


def voxels(layer):
    return keras.Sequential([keras.Input((5, 5, 5, 2)), layer], name="voxels")


FLOAT_ONLY = {
    "Conv3D": (voxels(layers.Conv3D(4, 3)), "CONV_3D"),
    "Conv3DTranspose": (voxels(layers.Conv3DTranspose(2, 2)), "CONV_3D_TRANSPOSE"),
    "flattened": (
        keras.Sequential([keras.Input((5, 5, 5, 2)), layers.Conv3D(4, 3), layers.Flatten()]),
        "CONV_3D",
    ),
    "cos": (small.applied(keras.ops.cos), "COS"),
}


def samples(model):
    shape = (32, *model.inputs[0].shape[1:])
    return np.random.default_rng(0).normal(size=shape).astype("float32")


@pytest.mark.parametrize(
    ("model", "operator"),
    [
        pytest.param(*case, id=name, marks=() if name == "Conv3D" else pytest.mark.slow)
        for name, case in FLOAT_ONLY.items()
    ],
)
def test_a_file_in_which_nothing_was_quantized_says_so(model, operator, tmp_path):
    options = {"quantization": "int8", "calibration": samples(model)}
    exported = export(model, tmp_path / "m.tflite", **options)
    assert exported.notes == (f"nothing was quantized: {operator} stay in float",)
    with pytest.raises(
        ValueError, match=rf"io='int8' makes no sense for '{model.name}': .* as {operator} stay in"
    ):
        export(model, tmp_path / "n.tflite", io="int8", **options)
    assert not (tmp_path / "n.tflite").exists()


def test_a_file_in_which_something_was_quantized(tmp_path):
    model = keras.Sequential([*voxels(layers.Conv3D(4, 3)).layers, layers.Flatten(), layers.Dense(60)])
    model.build((None, 5, 5, 5, 2))
    exported = export(
        model, tmp_path / "m.tflite", quantization="int8", calibration=samples(model), io="int8"
    )
    assert exported.notes == ()
    parts = IntegerParts.read(exported.path)
    assert "FULLY_CONNECTED" in parts.integer_operators
    assert parts.float_operators == ("CONV_3D",)


@pytest.mark.parametrize("kind", ["float16", "int8", pytest.param("int16x8", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("build", "grows"),
    [
        pytest.param(small.dense, True, id="dense"),
        pytest.param(small.conv1d, None, id="conv1d", marks=pytest.mark.slow),
        pytest.param(small.wide, False, id="wide", marks=pytest.mark.slow),
    ],
)
def test_a_file_that_grew_says_so_and_no_other(build, grows, kind, small_file):
    plain, exported = small_file(build)[1], small_file(build, kind)[1]
    said = any("larger than the float32 file" in note for note in exported.notes)
    if grows is not None:
        assert said == grows
    if said:
        assert exported.bytes > plain.bytes
    if not said:
        assert exported.bytes < plain.bytes + 600  # conversions, which are counted with too few bytes


def test_models_that_compute_nothing(tmp_path):
    model = keras.Sequential([keras.Input((5, 5, 5, 2)), layers.Flatten()])
    options = {"quantization": "int8", "calibration": samples(model), "io": "int8"}
    exported = export(model, tmp_path / "m.tflite", **options)
    assert exported.operators == {"RESHAPE": 1}
    assert not any("nothing was quantized" in note for note in exported.notes)


@pytest.mark.parametrize(
    ("quantization", "io"), [("int8", "int8"), pytest.param("int16x8", "int16", marks=pytest.mark.slow)]
)
def test_integers_for_an_input_that_nothing_reads(quantization, io, tmp_path):
    used, unused = keras.Input((4,), name="used"), keras.Input((4,), name="unused")
    model = keras.Model([used, unused], keras.layers.Dense(2)(used), name="half")
    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    options = {"quantization": quantization, "calibration": [x, x]}
    with pytest.raises(ValueError, match=rf"io='{io}' is not possible for 'half': no layer reads .*'unused'"):
        export(model, tmp_path / "m.tflite", io=io, **options)
    exported = export(model, tmp_path / "m.tflite", **options)
    assert [tensor.name for tensor in exported.inputs] == ["used", "unused"]


def test_what_is_said():
    assert about_integers(IntegerParts((), ("CONV_3D", "COS"), 0, 0)) == [
        "nothing was quantized: CONV_3D, COS stay in float"
    ]
    assert about_integers(IntegerParts(("RELU",), (), 3000, 1000)) == []
    (note,) = about_size(IntegerParts(("RELU",), (), 48, 1200))
    assert note == (
        "larger than the float32 file: the weights take 48 bytes less, and scales and conversions take over "
        "1,200 bytes"
    )
