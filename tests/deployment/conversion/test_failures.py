"""Messages of conversions that failed: what failed, why, and advice that fits."""

from pathlib import Path

import keras
import numpy as np
import pytest

from keras_kd.deployment.conversion.failures import about_float16, about_free_sizes, failure_message
from keras_kd.deployment.conversion.request import Failure, Request
from keras_kd.deployment.quantizations import get
from keras_kd.deployment.tensor_details import TensorDetails
from keras_kd.deployment.tflite import export
from tests.deployment import small


def message(model, kind, stage, reason, **options):
    return failure_message(model, Request(Path(), get(kind), **options), Failure(stage, reason))


@pytest.mark.parametrize(
    ("kind", "stage", "reason", "expected"),
    [
        ("int8", "crash", "SIGKILL: Killed", "an int8 file of 'dense': SIGKILL: Killed. Something killed"),
        ("float16", "convert", "x.", "cannot make a float16 file of 'dense': x. Try quantization=None."),
        ("dynamic", "convert", "x", "cannot make a dynamic file of 'dense': x. Try quantization=None."),
        (None, "convert", "x", "cannot make a float32 file of 'dense': x. Replace the layer that"),
        (
            None,
            "run",
            "x",
            "and then fails to run: x. A fixed batch may help: batch_size=1.",
        ),
        (
            "int16x8",
            "run",
            "x",
            "The int16x8 file of 'dense' converts and then fails to run: x. Try q",
        ),
        (
            "int8",
            "convert",
            "TensorFlow Lite does not have these operators: A",
            "Replace the layers that use them",
        ),
    ],
)
def test_advice(kind, stage, reason, expected, dense):
    assert expected in message(dense, kind, stage, reason)


def test_a_fixed_batch_is_not_advised_twice(dense):
    assert "Replace the layer" in message(dense, None, "run", "x", batch_size=1)


def test_recurrent_layers_are_named_for_unrolling_in_integer_files():
    model = small.nested_gru()
    assert message(model, "int8", "crash", "x").endswith(", or unroll=True in layer 'deep_gru'.")
    assert message(model, "dynamic", "crash", "x").endswith("Try quantization=None.")


def test_advice_about_free_sizes():
    free, model = (TensorDetails("image", (None, None, None, 3), "float32"),), small.any_size()
    other = small.dense()
    failure = Failure("convert", "x")
    assert failure_message(other, Request(Path(), get(None)), failure, free).endswith(
        "Replace the layer that the converter cannot handle. A fixed size of input 'image' may help: "
        "input_shape=(64, 64, 3)."
    )
    assert about_free_sizes(model, (TensorDetails("image", (None, 8, 8, 3), "float32"),)) == ("", False)
    growing = keras.Sequential([keras.layers.UpSampling2D(name="grow")])
    assert failure_message(growing, Request(Path(), get(None)), failure, free).endswith(
        "x. Layer 'grow' needs an input 'image' of fixed size: input_shape=(64, 64, 3)."
    )
    two = (*free, TensorDetails("age", (None, 2), "float32"))
    sizes = {"image": (16, 16, 3), "age": (2,)}
    assert about_free_sizes(growing, free, sizes)[0].endswith("of fixed size: input_shape=(16, 16, 3).")
    assert about_free_sizes(growing, two, sizes)[0].endswith(f"of fixed size: input_shape={sizes}.")


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        ("Conv2D", "TensorFlow Lite needs known sizes for Conv2D. Layer 'grow' needs an input"),
        ("Conv2D, Tan", "does not have these operators: Conv2D, Tan. What exports: for keras.ops.tan"),
        ("Own", "does not have these operators: Own. Replace the layers that use them"),
    ],
)
def test_operators_that_need_fixed_sizes_are_not_called_missing(missing, expected):
    free = (TensorDetails("image", (None, None, None, 3), "float32"),)
    growing = keras.Sequential([keras.layers.UpSampling2D(name="grow")])
    failure = Failure("convert", f"TensorFlow Lite does not have these operators: {missing}")
    said = failure_message(growing, Request(Path(), get("int8")), failure, free, {"image": (16, 16, 3)})
    assert expected in said
    assert said.endswith("Layer 'grow' needs an input 'image' of fixed size: input_shape=(16, 16, 3).")


def scaled(kernel=1.0, bias=0.0, gamma=1.0):
    """A model whose weights are as large as that."""
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(3, name="big"),
            keras.layers.BatchNormalization(name="norm"),
        ],
        name="scaled",
    )
    big, norm = model.layers
    big.kernel.assign(np.full((4, 3), kernel) * np.arange(1, 5)[:, None])
    big.bias.assign(np.full(3, bias))
    norm.gamma.assign(np.full(3, gamma))
    return model


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        pytest.param(
            {"kernel": 3e5},
            r"Its weight 'scaled/big/kernel' reaches 1.2e\+06, and float16 ends at 65504: scale it down",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            {"bias": -1e5},
            r"Its weight 'scaled/big/bias' reaches 1e\+05, .* use quantization='dynamic' or None",
            marks=pytest.mark.slow,
        ),
        ({"kernel": 3e3, "gamma": 1e3}, "multiplied into one, .* reach more, and float16 ends at 65504"),
    ],
)
def test_weights_that_float16_cannot_hold_are_named(weights, message, tmp_path):
    model = scaled(**weights)
    with pytest.raises(ValueError, match=f"The float16 file of 'scaled' is wrong: .* {message}"):
        export(model, tmp_path / "m.tflite", quantization="float16")
    for quantization in ("dynamic", None):  # as advised
        export(model, tmp_path / "m.tflite", quantization=quantization, overwrite=True)


def test_large_weights_that_float16_holds(tmp_path):
    path = export(scaled(kernel=1e4), tmp_path / "m.tflite", quantization="float16").path
    assert about_float16(scaled(kernel=1e4), path) == ""


def test_a_model_that_exceeds_float16_in_keras_already(tmp_path):
    layers = [keras.layers.Dense(2, kernel_initializer=keras.initializers.Constant(1e5), name="big")]
    model = keras.Sequential([keras.Input((4,)), *layers], name="half")
    model.layers[0].dtype_policy = "mixed_float16"
    message = r"NaN or infinity in Keras already: compute the layers that exceed 65504, .*dtype='float32'"
    with pytest.raises(ValueError, match=message):
        export(model, tmp_path / "m.tflite", quantization="float16")


@pytest.mark.parametrize("dtype", ["float16", pytest.param("float64", marks=pytest.mark.slow)])
def test_weights_in_another_precision_are_named(dtype, tmp_path):
    conv = keras.layers.Conv2D(2, 3, name="conv", dtype=dtype)
    model = keras.Sequential([keras.Input((4, 4, 1), dtype=dtype), conv])
    expected = rf"conv/kernel' is {dtype}, and files compute in float32: make"
    with pytest.raises(ValueError, match=expected) as told:
        export(model, tmp_path / "m.tflite")
    assert "allow_flex" not in str(told.value)
