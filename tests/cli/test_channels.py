"""`keras-kd shrink` and `keras-kd compact`."""

import json

import keras
import numpy as np
import pytest

import keras_kd as kd
from keras_kd.cli.channels import parse_depth, parse_fractions
from tests.cli.conftest import run


@pytest.fixture(scope="module")
def files_of_mine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("channels")
    keras.utils.set_random_seed(0)
    kd.models.digits_teacher().save(folder / "big.keras")
    arrays = kd.datasets.digits().arrays
    x, y = (part[:200] for part in arrays["train"][:2])
    np.savez(folder / "mine.npz", x_train=x, y_train=y, x_test=x[:50], y_test=y[:50])
    return folder


@pytest.fixture(scope="module")
def untrained(files_of_mine):
    """A model that was compiled for what Keras does not know here, with an optimizer that has not stepped."""
    model = keras.models.load_model(files_of_mine / "big.keras")
    model.compile(keras.optimizers.Adam(), loss=kd.losses.SoftTargets(2.0))
    model.save(files_of_mine / "untrained.keras")
    return files_of_mine / "untrained.keras"


def shrunk(files_of_mine, tmp_path, *options):
    out = tmp_path / "small.keras"
    assert run("shrink", files_of_mine / "big.keras", "--out", out, *options) == 0
    return keras.models.load_model(out)


def test_shrink_writes_what_the_function_returns(files_of_mine, tmp_path, capsys):
    # Less than is possible with the floor, or the multiple, that they have by default.
    sizes = "--keep", "0.41", "--budget", "macs", "--floor", "0.02", "--multiple-of", "2"
    small = shrunk(files_of_mine, tmp_path, *sizes, "--skip", "conv1*")
    big = keras.models.load_model(files_of_mine / "big.keras")
    same = kd.shrink(big, 0.41, budget="macs", skip="conv1*", floor=0.02, multiple_of=2)
    for before, after in zip(same.weights, small.weights, strict=True):
        np.testing.assert_array_equal(before, after)
    assert "multiply-adds: 1,710,528 before" in capsys.readouterr().out


def test_shrink_recalibrates_on_data_and_measures_there(files_of_mine, tmp_path, capsys):
    options = (
        "--data",
        str(files_of_mine / "mine.npz"),
        "--importance",
        "ACTIVATION",
        "--depth",
        "0.5",
        "--json",
    )
    with pytest.warns(UserWarning, match="BatchNorm statistics"):  # it was never trained
        small = shrunk(files_of_mine, tmp_path, *options)
    found = json.loads(capsys.readouterr().out)
    assert found["parameters"][1] == small.count_params()
    stem = small.get_layer("norm_stem")
    assert np.any(np.asarray(stem.moving_mean) != 0)


def test_layers_have_fractions_of_their_own(files_of_mine, tmp_path):
    small = shrunk(files_of_mine, tmp_path, "--scope", "layer", "--layers", "conv3_first=0.25", "--keep", "1")
    assert small.get_layer("conv3_first").filters == 24
    assert small.get_layer("conv2_first").filters == 48


def test_sizes_that_are_free_are_given(tmp_path, capsys):
    free = keras.Sequential([keras.Input((None, None, 1)), keras.layers.Conv2D(32, 3, name="conv")])
    free.add(keras.layers.GlobalAveragePooling2D())
    free.add(keras.layers.Dense(2))
    free.save(tmp_path / "free.keras")
    words = ["shrink", tmp_path / "free.keras", "--out", tmp_path / "small.keras", "--budget", "macs"]
    assert run(*words) == 1
    assert "give --input-shape 224,224,1." in capsys.readouterr().err
    assert run(*words, "--input-shape", "28,28,1") == 0
    assert "multiply-adds: 194,752 before" in capsys.readouterr().out


def test_compact_writes_separable_convolutions(files_of_mine, tmp_path, capsys):
    out = tmp_path / "small.keras"
    assert run("compact", files_of_mine / "big.keras", "--out", out, "--skip", "conv_stem") == 0
    small = keras.models.load_model(out)
    assert small.get_layer("conv3_depthwise").depth_multiplier == 1
    assert "'conv3': 82,944 -> " in capsys.readouterr().out


def test_compact_recalibrates_on_data(files_of_mine, tmp_path, capsys):
    out, data = tmp_path / "small.keras", files_of_mine / "mine.npz"
    with pytest.warns(UserWarning, match="BatchNorm statistics"):  # it was never trained
        assert run("compact", files_of_mine / "big.keras", "--out", out, "--data", data, "--json") == 0
    small, big = keras.models.load_model(out), keras.models.load_model(files_of_mine / "big.keras")
    train = kd.datasets.load(data).arrays["calibration"].x
    expected = kd.recalibrate(kd.compact(big), train)
    for after, same in zip(small.weights, expected.weights, strict=True):
        np.testing.assert_allclose(after, same, atol=1e-5)
    assert json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("words", [("taps",), ("cost",), ("shrink",), ("compact",), ("factorize",)])
def test_nothing_is_said_of_an_optimizer_that_is_not_needed(untrained, tmp_path, capsys, words):
    target = [] if words[0] in ("taps", "cost") else ["--out", tmp_path / "small.keras"]
    assert run(*words, untrained, *target) == 0
    assert "optimizer" not in capsys.readouterr().err


REFUSED = [
    (("--keep", "1.5"), "--keep must be in (0, 1]. Received: 1.5. For 1.5 %, give 0.015."),
    (("--keep", "nan"), "--keep must be in (0, 1]. Received: nan."),
    (
        ("--layers", "conv1=25"),
        "--layers conv1 must be in (0, 1]. Received: 25. For 25 %, give 0.25.",
    ),
    (("--importance", "activation"), "--importance activation is measured on data: give --data."),
    (("--layers", "conv1=half"), "a fraction in (0, 1], as conv1=0.5, or none. Received: 'conv1=half'."),
    (("--layers", "conv9"), "Did you mean"),
    (("--keep", "0.001", "--budget", "bytes"), "the least is"),
]


@pytest.mark.parametrize(("options", "words"), REFUSED, ids=[" ".join(options) for options, _ in REFUSED])
def test_what_cannot_be_done_is_told_and_nothing_is_written(files_of_mine, tmp_path, capsys, options, words):
    out = tmp_path / "small.keras"
    assert run("shrink", files_of_mine / "big.keras", "--out", out, *options) == 1
    assert words in " ".join(capsys.readouterr().err.split())
    assert not out.exists()


def test_nothing_is_overwritten(files_of_mine, tmp_path, capsys):
    out = tmp_path / "small.keras"
    out.write_text("mine")
    assert run("shrink", files_of_mine / "big.keras", "--out", out) == 1
    assert out.read_text() == "mine"
    assert "--overwrite" in capsys.readouterr().err


def test_fractions_are_parsed():
    assert parse_fractions(None) is None
    assert parse_fractions(["a", "b*"]) == ["a", "b*"]
    assert parse_fractions(["a=0.5", "b*=1"]) == {"a": 0.5, "b*": 1.0}


def test_a_depth_is_a_fraction_or_a_number_of_blocks():
    assert [(type(value), value) for value in map(parse_depth, ("0.5", "1.0", "1", "0"))] == [
        (float, 0.5),
        (float, 1.0),
        (int, 1),
        (int, 0),
    ]


@pytest.mark.parametrize("text", ["2.0", "0.0", "-1", "nan", "half"])
def test_other_depths_are_refused(text):
    with pytest.raises(ValueError, match=f"as 0.5, or how many, as 4. Received: '{text}'"):
        parse_depth(text)
