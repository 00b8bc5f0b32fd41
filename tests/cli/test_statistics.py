"""`keras-kd recalibrate`."""

import json

import keras
import numpy as np
import pytest

import keras_kd as kd
from tests.cli.conftest import run


def test_recalibrate_writes_what_the_function_returns(files, printed, tmp_path):
    out = tmp_path / "new.keras"
    words = ["recalibrate", files / "teacher.keras", "--data", files / "data.npz", "--out", out]
    assert run(*words) == 0
    table, err = printed()
    assert table.splitlines()[0].split() == ["BatchNorm", "was", "off", "by"]
    assert table.splitlines()[-1].split()[0] == "norm1"
    assert err.endswith(f"Model: {out}\n")
    teacher, new = (keras.models.load_model(path) for path in (files / "teacher.keras", out))
    # All training rows; those that validation needs are none of them.
    train = kd.datasets.load(files / "data.npz").arrays["train"].x
    for after, expected in zip(new.weights, kd.recalibrate(teacher, train).weights, strict=True):
        np.testing.assert_allclose(after, expected, atol=1e-6)
    assert run(*words) == 1
    assert "--overwrite" in printed()[1]
    again = ["recalibrate", out, "--data", files / "data.npz", "--out", tmp_path / "again.keras", "--json"]
    assert run(*again) == 0
    assert json.loads(printed()[0])["gaps"]["norm1"] < 1e-3


def test_a_model_without_batch_norm_is_refused(files, printed, tmp_path):
    keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten()]).save(tmp_path / "m.keras")
    out = tmp_path / "new.keras"
    assert run("recalibrate", tmp_path / "m.keras", "--data", files / "data.npz", "--out", out) == 1
    assert "has no BatchNormalization" in printed()[1]
    assert not out.exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"--out": "new.h5"}, ".keras"),
        ({"--data": "nowhere.npz"}, "nowhere.npz"),
        ({"--target": "a"}, "tables"),
    ],
)
def test_wrong_options_are_answered_before_tensorflow_loads(
    files, printed, tmp_path, monkeypatch, change, said
):
    monkeypatch.setattr("keras_kd.cli.statistics.load_library", lambda modules: pytest.fail("loaded"))
    options = {"--data": files / "data.npz", "--out": tmp_path / "new.keras"} | change
    assert (
        run("recalibrate", files / "teacher.keras", *(word for pair in options.items() for word in pair)) == 1
    )
    assert said in " ".join(printed()[1].split())
