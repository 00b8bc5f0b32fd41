"""Digits of scikit-learn and Fashion-MNIST of Debian."""

import gzip
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_kd import datasets
from keras_kd.datasets import bundled
from keras_kd.datasets.bundled import FASHION_FILES, FASHION_FOLDER
from tests.datasets.conftest import contents

HERE = Path(FASHION_FOLDER)


def test_digits_are_images_with_labels(digits):
    assert digits.input_shape == (8, 8, 1)
    assert {key: len(split.x) for key, split in digits.arrays.items()} == {
        "train": 1257,
        "validation": 180,
        "test": 360,
        "calibration": 256,
    }
    for split in digits.arrays.values():
        assert (split.x.dtype, split.x.min(), split.x.max()) == ("float32", 0, 1)
        assert sorted(set(split.y)) == list(range(10))
        assert np.bincount(split.y).min() >= 0.07 * len(split.y)


def test_splits_share_nothing_and_calibration_is_from_train(digits):
    train, validation, test = (set(contents(digits.arrays[key].x)) for key in ("train", "validation", "test"))
    assert len(train | validation | test) == 1797
    assert not train & validation
    assert not (train | validation) & test
    assert set(contents(digits.arrays["calibration"].x)) <= train


def test_splits_do_not_depend_on_the_training_seed(digits):
    keras.utils.set_random_seed(99)
    np.testing.assert_array_equal(datasets.digits().arrays["test"].x, digits.arrays["test"].x)


def test_fashion_says_which_files_are_missing(tmp_path, monkeypatch):
    (tmp_path / "train-images-idx3-ubyte.gz").touch()
    message = "does not hold train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz, t10k-labels-idx1-ubyte.gz"
    with pytest.raises(FileNotFoundError, match=message):
        datasets.fashion_mnist(source=tmp_path, data_dir=tmp_path / "tfds")
    monkeypatch.setenv("KERAS_KD_FASHION_MNIST", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=message):
        datasets.fashion_mnist(data_dir=tmp_path / "tfds")


def test_fashion_that_cannot_be_prepared_says_what_to_install(tmp_path):
    for name in FASHION_FILES:
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(b"not images"))
    with pytest.raises(
        OSError, match="Install the Debian package dataset-fashion-mnist, or set KERAS_KD_FASHION"
    ):
        datasets.fashion_mnist(source=tmp_path, data_dir=tmp_path / "tfds", progress=lambda line: None)
    assert not list((tmp_path / "tfds").rglob("*.tfrecord*"))


def idx(name):
    raw = gzip.decompress((HERE / f"{name}.gz").read_bytes())
    return np.frombuffer(raw, np.uint8, offset=16 if "images" in name else 8)


@pytest.fixture(scope="module")
def fashion(tmp_path_factory):
    if not all((HERE / f"{name}.gz").is_file() for name in FASHION_FILES):
        pytest.skip(f"{HERE} is not there: install the Debian package dataset-fashion-mnist")
    lines = []
    folder = tmp_path_factory.mktemp("tfds")
    datasets.fashion_mnist(source=HERE, data_dir=folder, progress=lines.append)
    assert lines == [f"Preparing Fashion-MNIST from {HERE}: takes up to a minute, only this time"]
    return datasets.fashion_mnist(data_dir=folder, progress=lines.remove)  # prepared: it must not be called


@pytest.mark.slow
def test_fashion_is_what_debian_ships(fashion):
    assert {key: len(split.x) for key, split in fashion.arrays.items()} == {
        "train": 55_000,
        "validation": 5_000,
        "test": 10_000,
        "calibration": 256,
    }
    for names, prefix in ((("train", "validation"), "train"), (("test",), "t10k")):
        x = np.concatenate([fashion.arrays[name].x for name in names])
        y = np.concatenate([fashion.arrays[name].y for name in names])
        images = idx(f"{prefix}-images-idx3-ubyte").reshape(-1, 784)
        rows = zip(contents(images), idx(f"{prefix}-labels-idx1-ubyte").tolist(), strict=True)
        ours = zip(contents(np.rint(x.reshape(-1, 784) * 255).astype("uint8")), y.tolist(), strict=True)
        assert sorted(ours) == sorted(rows)


@pytest.mark.slow
def test_fashion_splits_hold_every_class(fashion):
    for name, size in (("train", 5_500), ("validation", 500), ("test", 1_000)):
        assert np.bincount(fashion.arrays[name].y).tolist() == [size] * 10
    assert fashion.arrays["train"].x.dtype == "float32"
    assert (fashion.arrays["train"].x.min(), fashion.arrays["train"].x.max()) == (0, 1)


def test_stripped_gzip_headers_are_restored_and_whole_ones_kept(tmp_path):
    name = "t10k-labels-idx1-ubyte"
    whole = b"\x1f\x8b\x08\x08" + bytes.fromhex("f3e9a759") + b"\x02\x03" + name.encode() + b"\0" + b"content"
    path = tmp_path / f"{name}.gz"
    path.write_bytes(whole)
    assert bundled.original_bytes(tmp_path, name) == whole
    path.write_bytes(b"\x1f\x8b\x08\x00" + bytes(4) + b"\x02\x03" + b"content")
    assert bundled.original_bytes(tmp_path, name) == whole
