"""Ranges of inputs: of samples, as layers imply them, and of data that leaves them."""

import keras
import numpy as np
import pytest
import tf_keras

from keras_kd.deployment.ranges import InputRange, RangeCheck, ranges_of, unlike_model
from keras_kd.deployment.source.serving import make_serving
from keras_kd.deployment.tflite import export
from keras_kd.deployment.verification import verify
from keras_kd.reports import compare
from tests.deployment import small

layers = keras.layers
RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (64, 8, 8, 1)).astype("float32")


def starting_with(*first, dtype="float32"):
    image = keras.Input((8, 8, 1), dtype=dtype, name="image")
    x = image
    for layer in first:
        x = layer(x)
    return keras.Model(image, layers.Dense(3)(layers.Flatten()(x)), name="pixels")


def adapted():
    layer = layers.Normalization(axis=None, name="normal")
    layer.adapt(PIXELS)
    return layer


def nested():
    return keras.Sequential([keras.Input((8, 8, 1)), layers.Rescaling(1 / 255, name="inner")])


class Own(keras.Model):
    """Tells nothing of itself."""

    def __init__(self):
        super().__init__(name="own")
        self.scale, self.head = layers.Rescaling(1 / 255), layers.Dense(3)

    def call(self, x):
        return self.head(self.scale(x))


MODELS = {
    "rescaled": lambda: starting_with(layers.Rescaling(1 / 255)),
    "rescaled around 0": lambda: starting_with(layers.Rescaling(1 / 127.5, offset=-1)),
    "centered": lambda: starting_with(layers.Rescaling([1 / 255], offset=[-0.5])),
    "augmented first": lambda: starting_with(layers.RandomFlip(), layers.Rescaling(1 / 255)),
    "nested": lambda: starting_with(nested()),
    "normalized": lambda: starting_with(adapted()),
    "rescaled, then normalized": lambda: starting_with(
        layers.Rescaling(1 / 255), layers.Normalization(mean=0.45, variance=0.05)
    ),
    "bytes": lambda: starting_with(lambda x: keras.ops.cast(x, "float32"), dtype="uint8"),
}


def said(model, samples):
    served = make_serving(model)
    return unlike_model(served, served.arrays(samples))


@pytest.mark.parametrize("kind", MODELS)
def test_samples_on_another_scale_are_noticed(kind):
    model = MODELS[kind]()
    assert said(model, PIXELS) == []
    assert said(model, PIXELS // 5) == []  # a dark picture
    (sentence,) = said(model, np.floor(PIXELS / 255) if kind == "bytes" else PIXELS / 255)
    assert sentence.startswith("the samples for input 'image' ")
    assert kind == "normalized" or "implies about 0 to 255: " in sentence
    assert sentence.endswith(": pass them on the scale that the model takes.")
    if kind != "bytes":
        assert said(model, PIXELS * 100)


@pytest.mark.parametrize(
    ("shape", "between", "channels"),
    [
        ((2, 3), layers.Flatten(), 6),
        ((6,), layers.Reshape((2, 3)), 3),
        ((3, 4, 5), layers.Permute((2, 3, 1)), 3),
        ((None, None, 3), layers.Resizing(4, 4), 3),
    ],
)
def test_normalization_behind_a_layer_that_moves_the_axes(shape, between, channels):
    inputs = keras.Input(shape, name="x")
    scale = 10.0 ** np.arange(channels)
    normal = layers.Normalization(mean=scale, variance=scale**2)
    model = keras.Model(inputs, layers.Flatten()(normal(between(inputs))))
    samples = RNG.normal(size=(64, *(size or 8 for size in shape)))
    axis = 1 if channels == shape[0] else -1
    if len(shape) == 1:
        samples = (samples.reshape(64, 2, 3) * scale + scale).reshape(64, 6)
    elif channels == 6:
        samples = (samples.reshape(64, 6) * scale + scale).reshape(64, 2, 3)
    else:
        samples = np.moveaxis(np.moveaxis(samples, axis, -1) * scale + scale, -1, axis)
    assert said(model, samples) == []
    assert len(said(model, samples / scale.max() / 100)) == 1


@pytest.mark.parametrize(
    "model",
    [
        starting_with(),
        starting_with(layers.Rescaling(255.0)),  # from 0..1 up
        starting_with(layers.Normalization(mean=0.0, variance=1.0, invert=True)),
        keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(1), layers.Rescaling(0.01)]),
    ],
)
def test_models_that_imply_nothing(model):
    assert said(model, PIXELS) == said(model, PIXELS / 255) == []


def test_models_of_tf_keras():
    tf_layers = tf_keras.layers
    for layer in (
        tf_layers.Rescaling(1 / 255),
        tf_layers.Normalization(axis=None, mean=127.0, variance=5000.0),
        tf_layers.Normalization(mean=np.full(64, 127.0), variance=np.full(64, 5000.0)),
    ):
        image = tf_layers.Input((8, 8, 1), name="image")
        flat = tf_layers.Flatten()(tf_layers.RandomFlip()(image))
        model = tf_keras.Model(image, tf_layers.Dense(3)(layer(flat)))
        assert said(model, PIXELS) == []
        assert "'image'" in said(model, PIXELS / 255)[0]


def test_subclassed_models_are_traced():
    model = Own()
    model(PIXELS[:2])
    assert said(model, PIXELS) == []
    (sentence,) = said(model, PIXELS / 255)
    assert f"reach from 0 to 1, where Rescaling {model.scale.name!r} implies about 0 to 255: " in sentence


def test_arithmetic_tells_of_pixels_as_a_rescaling_does():
    model = starting_with(lambda x: (x - 127.5) / 127.5)
    assert said(model, PIXELS) == []
    (sentence,) = said(model, PIXELS / 255)
    assert "reach from 0 to 1, where the model's arithmetic implies about 0 to 255: " in sentence
    assert said(starting_with(lambda x: x * 0.1), PIXELS / 255) == []  # which may mean anything


def test_channels_that_the_arithmetic_leaves_out_may_reach_further():
    model = starting_with(lambda x: keras.ops.reshape(x, (-1, 64))[:, :2] / 255.0)
    wide = np.where(np.arange(64).reshape(8, 8, 1) < 2, PIXELS, 1000 * PIXELS)
    assert said(model, PIXELS) == said(model, wide) == []
    assert len(said(model, PIXELS / 255)) == 1


def test_bytes_are_bytes_whatever_else_the_model_does_first():
    model = starting_with(lambda x: keras.ops.cast(x, "float32") + 3.0, dtype="uint8")
    assert "its type, uint8, implies" in said(model, PIXELS // 255)[0]


def test_ranges_are_those_of_numpy():
    assert ranges_of({"a": PIXELS, "b": np.arange(3)}) == (
        InputRange("a", PIXELS.min(), PIXELS.max()),
        InputRange("b", 0.0, 2.0),
    )
    assert ranges_of({"none": np.zeros((0, 2))}) == ()


@pytest.mark.parametrize(
    ("data", "note"),
    [
        (PIXELS, None),
        (PIXELS * 1.001, None),
        (np.where(PIXELS > 253, 300, PIXELS / 2), None),  # less than 1 %, and near
        (PIXELS / 255, "which few of the integers stand for"),
        (PIXELS * 2, "of its values are cut off"),
        (PIXELS - 128, "% of its values are cut off"),
        (np.where(PIXELS > 254, 2000, PIXELS), "reaches from 0 to 2000: 0."),
    ],
)
def test_data_that_leaves_the_calibrated_range(data, note):
    check = RangeCheck({"image": (0.0, 255.0), "other": (0.0, 1.0)})
    for part in np.split(data, 4):
        check.add({"image": part, "unknown": part})
    notes = check.notes()
    assert len(notes) == (note is not None)
    if note:
        assert notes[0].startswith("input 'image' was calibrated for 0 to 255, and the data reaches from ")
        assert note in notes[0]
        assert notes[0].endswith("Calibrate with data on its scale.")


def test_a_narrow_band_far_from_zero_is_no_other_scale():
    """Scaling moves values towards zero; these are few, or alike, and are in the range."""
    check = RangeCheck({"x": (0.0, 1.0)})
    check.add({"x": np.linspace(0.88, 0.92, 8)})
    assert check.notes() == []
    check = RangeCheck({"x": (-1.0, 1.0)})
    check.add({"x": np.linspace(-0.004, 0.004, 8)})
    assert "which few of the integers stand for" in check.notes()[0]
    assert not check.are_cut_off()
    check.add({"x": np.full(8, 30.0)})
    assert check.are_cut_off()


def test_nan_leaves_no_range():
    check = RangeCheck({"x": (0.0, 1.0)})
    check.add({"x": np.full(4, np.nan)})
    assert check.notes() == []


@pytest.mark.slow
def test_wrongly_scaled_calibration_is_told_of_by_export_verify_and_compare(tmp_path):
    model = starting_with(layers.Rescaling(1 / 255))
    path = tmp_path / "m.tflite"
    with pytest.warns(UserWarning, match="reach from 0 to 1, where Rescaling .* implies about 0 to 255"):
        exported = export(model, path, quantization="int8", calibration=PIXELS / 255)
    assert str(exported.calibration[0]) == "image: 0 to 1"
    assert "calibration   image: 0 to 1" in str(exported)
    assert "where Rescaling" in exported.notes[0]
    checked = verify(model, path, PIXELS)
    (cause,) = (note for note in checked.notes if "calibrated" in note)
    assert "input 'image' was calibrated for 0 to 1, and the data reaches from 0 to 255: 99." in cause
    assert not any("another model" in note for note in checked.notes)
    assert cause in compare((PIXELS,), model=model, file=path)["file"].notes
    export(model, path, quantization="int8", calibration=PIXELS, overwrite=True)
    assert not any("calibrated" in note for note in verify(model, path, PIXELS).notes)
    assert ranges_of({"x": small.data(small.dense())})
