"""Outputs beyond the integers of a file: what is said, and what is too little to say."""

import keras
import numpy as np
import pytest

from keras_kd.deployment.edges import read_edges
from keras_kd.deployment.saturation import Saturation, Saturations
from keras_kd.deployment.tflite import export
from keras_kd.deployment.verification import verify
from tests.deployment import small
from tests.selection import rest_slow


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([0, 100, 104], []),
        ([np.nan, np.inf, 50], []),
        (
            [0, 101, 110],
            ["more than 100, and Keras gives up to 110 (2 of 3 samples): calibrate with samples"],
        ),
        ([-20, 50, -1], ["less than 0, and Keras gives down to -20 (2 of 3 samples)"]),
        ([-20, 120, 0], ["more than 100", "less than 0"]),
    ],
)
def test_what_is_cut_off_is_counted(values, said):
    saturation = Saturation((0.0, 100.0))
    for value in values:
        saturation.add(np.array([[[value]]], "float32"))
    assert len(saturation.notes()) == len(said)
    for note, part in zip(saturation.notes(), said, strict=True):
        assert part in note


def test_floats_have_no_end():
    saturation = Saturation(None)
    saturation.add(np.array([[1e9]]))
    assert saturation.notes() == []


def test_several_outputs_are_named():
    limits = {"price": (0.0, 100.0), "kind": None}
    for names, said in ((["price", "kind"], "price: the file cannot give"), (["price"], "the file cannot")):
        saturations = Saturations({name: limits[name] for name in names})
        for value in (200.0, 50.0):
            saturations.add({name: np.array([[value]]) for name in ("kind", "price")})
        (note,) = saturations.notes()
        assert note.startswith(said)
        assert "gives up to 200 (1 of 2 samples)" in note


def prices():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, name="price")])
    model.layers[0].set_weights([np.array([[20.0], [10.0], [1.0]]), np.array([30.0])])
    return model


@pytest.mark.parametrize("options", rest_slow({"float": {}, "int8": {"io": "int8"}}, "int8"))
def test_verify_says_that_a_file_saturates(options, tmp_path):
    model, x = prices(), np.random.default_rng(0).random((500, 3)).astype("float32")
    calm = np.where(model.predict(x, verbose=0) < 50, x, 0.4)
    calm[0] = [1, 0, 0]  # the inputs reach as far as ever: only the output does not
    path = export(model, tmp_path / "m.tflite", quantization="int8", calibration=calm, **options).path
    (limits,) = read_edges(path).limits.values()
    far = int((model.predict(x, verbose=0) > limits[1] + np.ptp(limits) / 255).sum())
    assert 0 < far < 500
    (note,) = (note for note in verify(model, path, x).notes if "cannot give" in note)
    assert f"more than {limits[1]:.4g}, and Keras gives up to " in note
    assert f"({far} of 500 samples)" in note
    assert not any("cannot give" in note for note in verify(model, path, calm).notes)
    near = 0.88 + 0.04 * x  # outputs that all are beyond the end, of inputs that are not
    notes = verify(model, path, near).notes
    assert any("(500 of 500 samples)" in note for note in notes)
    assert not any("another model" in note or "calibrated for" in note for note in notes)


@pytest.mark.slow
def test_probabilities_end_before_1_and_nothing_is_said(small_file):
    model, exported = small_file(small.softmax, "int8")
    assert list(read_edges(exported.path).limits.values()) == [(0.0, 255 / 256)]
    certain = 100 * small.data(model)
    assert not any("cannot give" in note for note in verify(model, exported.path, certain).notes)


def test_floats_have_no_limits(dense_file):
    assert read_edges(dense_file).limits == {}
