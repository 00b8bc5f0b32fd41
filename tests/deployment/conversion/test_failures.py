"""Messages of conversions that failed: what failed, why, and advice that fits."""

from pathlib import Path

import keras
import pytest

from keras_kd.deployment.conversion.failures import about_free_sizes, failure_message
from keras_kd.deployment.conversion.request import Failure, Request
from keras_kd.deployment.quantizations import get
from keras_kd.deployment.tensor_details import TensorDetails
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
