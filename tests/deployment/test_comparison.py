"""What counts as a wrong file, and what as one that lost information."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from keras_kd.deployment.comparison import compare_outputs
from keras_kd.deployment.input_steps import RoundedInput
from keras_kd.deployment.litemodel import LiteModel
from keras_kd.deployment.quantizations import FLOAT16, FLOAT32, INT8, get
from keras_kd.deployment.spread import FLOAT16_STEP
from keras_kd.deployment.tflite import export

RNG = np.random.default_rng(0)
Y = RNG.normal(size=(16, 4)).astype("float32")
NAN = np.where(np.arange(4) == 2, np.nan, Y)
CONSTANT = np.repeat(Y.mean(0, keepdims=True), 16, 0)
FAR = 1e5 + Y
PIXELS = Y * [640, 640, 640, 1]


def integers(values, levels=255):
    """Values as a tensor of integers with one scale holds them; its range includes 0."""
    low, high = min(values.min(), 0), max(values.max(), 0)
    step = (high - low) / levels
    return (np.round((values - low) / step) * step + low).astype("float32")


def compared(wanted, found, kind="int8", **options):
    return compare_outputs({"y": wanted}, {"y": found}, get(kind).error, **options)


@pytest.mark.parametrize(
    ("wanted", "found", "quantization", "fault"),
    [
        (Y, Y, None, None),
        (Y, Y + 1e-4, None, None),
        (Y, Y + 0.01, None, "off by 0.01 in channel"),
        (Y, Y + 0.01, "float16", None),
        (Y, Y + 0.5, "float16", "off by 0.5"),
        (Y, Y + 0.5, "int8", None),
        (Y, Y * 4, "int8", "off by"),
        (Y, NAN, None, "holds NaN or infinity and Keras's does not"),
        (Y, NAN, "int8", "holds NaN or infinity"),
        (Y, np.full_like(Y, np.inf), "dynamic", "holds NaN or infinity"),
        (Y, CONSTANT, "int8", "carries no information"),
        (Y, Y[:, :3], None, r"should have shape (16, 4); the file gives (16, 3)"),
        # Beside the spread, not beside the outputs: all of these are within 0.001 of the largest.
        (FAR, FAR + 1.0, None, "off by 1"),
        (FAR, np.full_like(FAR, 1e5), "int8", "carries no information"),
        (FAR, integers(FAR), "int8", "leave the last offset out of the model"),
        (Y * 1e-8, Y * 0, "int8", "carries no information"),
        (Y * 1e-8, Y * 1.01e-8, None, "off by"),
        # What float32 itself rounds away is no error.
        (FAR, FAR.astype("float32") + 0.0078125, None, None),
        (PIXELS, PIXELS + np.eye(4)[3] / 100, None, "in channel 3"),
    ],
)
def test_floats(wanted, found, quantization, fault):
    result = compared(wanted, found, quantization)
    assert (result.fault is None) == (fault is None)
    if fault:
        assert "output 'y'" in result.fault
        assert fault in result.fault
    if found.shape == wanted.shape and np.isfinite(found).all():
        assert result.max_error == pytest.approx(np.abs(found - wanted.astype("float64")).max())


def test_a_missing_output():
    assert "the file gives only ['z']" in compare_outputs({"y": Y}, {"z": Y}, FLOAT32.error).fault


@pytest.mark.parametrize("levels", [3, 4])
def test_a_handful_of_values_is_a_loss(levels):
    wanted = np.linspace(-1, 1, 16, dtype="float32")[:, None]
    (loss,) = compared(wanted, integers(wanted, levels - 1)).losses
    assert f"lost most of output 'y': {levels} different values for 16 samples, where Keras gives 16" in loss
    assert compared(wanted, integers(wanted)).losses == ()


def test_a_channel_in_other_units_is_lost_in_the_common_scale():
    result = compared(PIXELS, integers(PIXELS))
    assert result.fault is None
    assert "lost 1 of the 4 channels of output 'y' (3)" in result.losses[0]
    assert compared(PIXELS[:, :3], integers(PIXELS[:, :3])).losses == ()


def test_few_quiet_channels_of_a_wide_output_are_a_note():
    wide = RNG.normal(size=(16, 64)) * np.where(np.arange(64) < 5, 1e-2, 10)
    result = compared(wide, integers(wide))
    assert result.losses == ()
    assert "lost 5 of the 64 channels" in result.notes[0]
    # Silent ones are not worth a word.
    wide[:, :5] *= 1e-3
    assert compared(wide, integers(wide)) == replace(result, notes=(), max_error=pytest.approx(0.1, abs=0.1))


def softmax(logits):
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


@pytest.mark.parametrize("sureness", [1, 5, 30])
def test_probabilities_lose_nothing_however_sure(sureness):
    wanted = softmax(sureness * RNG.normal(size=(16, 10)))
    options = {"probabilities": frozenset("y")}
    for kind, found in (("int8", np.round(wanted * 256) / 256), (None, wanted.astype("float32"))):
        result = compared(wanted, found, kind, **options)
        assert (result.fault, result.losses, result.notes) == (None, (), ())


def test_probabilities_that_hardly_differ_are_no_fault_of_the_file():
    wanted = 0.001 + 0.001 * RNG.random((16, 1))  # a rare class, and no sample of it
    found = np.round(wanted * 256) / 256
    assert "carries no information" in compared(wanted, found).fault
    result = compared(wanted, found, probabilities=frozenset("y"))
    assert result.fault is None
    assert "nearly the same probability for all samples" in result.losses[0]


def test_constant_outputs_and_single_samples_are_fine():
    for wanted in (np.ones((16, 3)), np.zeros((16, 3)), np.full((16, 3), 1e5), Y[:1], Y[0], Y[:, :0]):
        for kind in (None, "float16", "int8"):
            result = compared(wanted, wanted, kind)
            assert (result.fault, result.losses, result.notes) == (None, (), ())
    assert compared(np.ones((16, 3)), np.full((16, 3), 1.0005), None).fault is None
    assert "off by 0.01" in compared(np.ones((16, 3)), np.full((16, 3), 1.01), None).fault
    # Half precision moves outputs by rounding alone.
    rounded = 100 + 0.05 * np.sign(Y)
    half = replace(FLOAT16.error, step=FLOAT16_STEP)
    assert compare_outputs({"y": rounded}, {"y": np.full_like(Y, 100)}, half).fault is None


def test_random_inputs_prove_little():
    still = 1 + Y / 1e4
    for kind in (None, "float16", "dynamic"):
        result = compared(still, np.ones_like(Y), kind, real_samples=False)
        assert result.fault is None
        assert "hardly varies on the inputs" in result.notes[0]
        assert "pass real samples as calibration=" in result.notes[0]
    assert "is the same for every sample" in compared(Y, CONSTANT, "dynamic", real_samples=False).fault
    assert "off by" in compared(Y, Y + 0.01, None, real_samples=False).fault


def test_outputs_that_are_rounding_are_not_judged():
    wanted, found, other = (1e-7 * RNG.normal(size=(16, 2)) for _ in range(3))
    assert "off by" in compared(wanted, found, None).fault
    assert compared(wanted, found, None, rerun=lambda: {"y": other}).fault is None
    # Numbers that are as small and mean something hardly react to rounding.
    assert "off by" in compared(wanted, found, None, rerun=lambda: {"y": wanted * 1.001}).fault


def test_maps_are_judged_sample_by_sample_at_each_position():
    anchors = np.arange(24.0).reshape(1, 3, 4, 2) * 100  # large, and the same for every sample
    wanted = anchors + RNG.normal(size=(16, 3, 4, 2))
    assert "carries no information" in compared(wanted, np.repeat(anchors, 16, 0)).fault
    assert compared(wanted, wanted + 0.05 * RNG.normal(size=wanted.shape)).losses == ()


def test_integers_may_flip_now_and_then():
    wanted = np.arange(20)
    found = wanted.copy()
    found[0] = 5
    assert compared(wanted, found, None).max_error == 5.0
    assert compared(wanted, found, None).fault is None
    assert "only 0% of the integers" in compared(wanted, wanted + 1, None).fault
    assert compared(wanted, wanted + 1).fault is None
    assert "only 0% of the integers" in compared(wanted, wanted + 1).losses[0]


@pytest.mark.parametrize(
    ("scale", "offset", "raises"), [(50.0, 101325.0, True), (1.0, 293.0, False), (1e-8, 0.0, False)]
)
def test_files_with_few_values_are_refused_or_reported(scale, offset, raises, tmp_path):
    layers = [keras.layers.Dense(1), keras.layers.Rescaling(scale, offset=offset)]
    model = keras.Sequential([keras.Input((8,)), *layers])
    x = RNG.normal(size=(200, 8)).astype("float32")

    def exported():
        return export(model, tmp_path / "m.tflite", quantization="int8", calibration=x)

    if raises:
        with pytest.raises(ValueError, match=r"int8 file of .* is wrong: .*carries no information"):
            exported()
        assert not list(tmp_path.iterdir())
        return
    with pytest.warns(UserWarning, match="lost most of output"):
        file = exported()
    assert "lost most of output" in file.notes[0]
    # The independent reading: a handful of values for 200 inputs, where Keras has 200.
    assert len(np.unique(LiteModel(file.path).predict(x))) < 12
    assert len(np.unique(model(x))) > 190


def test_int8_rows_are_judged_by_the_spread_alone():
    assert INT8.error.of_spread is None


def test_an_input_that_is_too_coarse_in_integers_is_the_cause():
    def found(wanted, file, of_rounded):
        """Of two inputs, rounding one costs nothing."""
        inputs = [("fine", wanted), ("x", of_rounded)]
        rounded = [RoundedInput(name, -2, 9, 255, {"y": outputs}) for name, outputs in inputs]
        return compared(wanted, file, rounded=lambda: rounded)

    cause = "The cause is input 'x', all of whose values share 256 integers from -2 to 9"
    assert cause in found(Y, CONSTANT, CONSTANT).fault
    assert "The cause is" not in found(Y, CONSTANT, Y).fault
    few = integers(Y, 4)
    (lost,) = found(Y, few, few).losses
    assert cause in lost
    (lost,) = found(Y, few, Y + 0.01).losses
    assert "scale the last layer" in lost
    wanted = Y * [1, 1, 1, 0.1]
    one_lost = np.where(np.arange(4) == 3, wanted.mean(0), wanted)
    (lost,) = found(wanted, one_lost, one_lost).losses
    assert f"of output 'y' (3). {cause}" in lost
    (lost,) = found(wanted, one_lost, wanted + np.eye(4)[0] / 2).losses
    assert "Return them as an output of their own" in lost
