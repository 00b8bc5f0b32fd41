"""Datasets of tensorflow-datasets: found by name, read as a model takes them."""

import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow_datasets as tfds

from keras_kd.datasets.catalog import find_builder, find_prepared
from keras_kd.datasets.downloads import prepare_by_download
from keras_kd.datasets.model_shape import ModelShape
from keras_kd.datasets.rows import ALL_ROWS

PICTURES, NUMBERS = ModelShape({"x": (9, 7, 1)}, {"y": (2,)}), ModelShape({"x": (4,)}, {"y": (1,)})


@pytest.fixture
def prepared(data_dir):
    """Prepares a dataset of `tests/datasets/conftest.py` by its name."""

    def prepare(name):
        builder = find_builder(name)
        prepare_by_download(builder, lambda line: None)
        return builder

    return prepare


def test_images_in_the_order_of_the_files(data_dir):
    builder = find_builder("tiny_pictures")
    builder.download_and_prepare(download_config=tfds.download.DownloadConfig(num_shards=2))
    found = find_prepared(builder, PICTURES, "0..1", None)
    assert {name: rows.size for name, rows in found.groups.items()} == {"train": 40, "test": 10}
    assert (found.class_names, found.pixels) == (("cat", "dog"), "0..1")
    assert found.text == (
        "50 samples of tensorflow-datasets tiny_pictures/1.0.0, resized to 9x7x1, pixels 0..1"
    )
    read = tfds.ReadConfig(interleave_cycle_length=1)
    theirs = builder.as_dataset(split="train", as_supervised=True, read_config=read, batch_size=-1)
    rows = found.groups["train"]
    np.testing.assert_array_equal(rows.read(ALL_ROWS), theirs[0])
    np.testing.assert_array_equal(rows.y, theirs[1])


def test_images_in_the_size_and_channels_of_the_model(prepared):
    builder = prepared("tiny_pictures")
    for shape, size in (((5, 4, 3), None), ((None, None, 3), (5, 4))):
        found = find_prepared(builder, ModelShape({"x": shape}, {}), "0..255", size)
        x = found.groups["train"].read(ALL_ROWS)
        assert (x.shape, x.dtype) == ((40, 5, 4, 3), "uint8")
        assert (x == x[..., :1]).all()  # gray


def test_numbers_in_a_single_split(prepared):
    found = find_prepared(prepared("tiny_numbers"), NUMBERS, "0..255", None)
    rows = found.groups["train"]
    assert list(found.groups) == ["train"]
    assert (rows.read(ALL_ROWS).dtype, rows.y.dtype, rows.read(ALL_ROWS).shape) == (
        "float32",
        "float32",
        (30, 4),
    )
    assert (found.class_names, found.pixels) == ((), None)


UNFIT = {
    "tiny_numbers": (PICTURES, r"are float64 of shape \(4,\); the model takes float32 of shape \(9, 7, 1\)"),
    "tiny_text": (NUMBERS, r"inputs of the dataset 'tiny_text/1.0.0' are string of shape \(\)"),
    "tiny_unsupervised": (NUMBERS, "does not say what are inputs and what are labels; it has image, label"),
    "tiny_pictures": (NUMBERS, "images are"),
}


@pytest.mark.parametrize("name", UNFIT)
def test_datasets_that_do_not_fit(name, data_dir):
    model, message = UNFIT[name]
    with pytest.raises(ValueError, match=message):
        find_prepared(find_builder(name), model, "0..255", None)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mnistt", r"has no dataset 'mnistt'. Did you mean 'mnist'"),
        ("emnist/digit", r"dataset 'emnist/digit' cannot be opened: .* Did you mean 'digits'"),
        ("nobody:mnist", "no dataset 'nobody:mnist'"),
        ("../x", r"dataset '../x' cannot be opened: Parsing builder name string \.\./x failed"),
        ("mnist:9.9.9", r"cannot be opened: .* cannot be loaded at version 9.9.9, only: "),
    ],
)
def test_names_that_are_none(name, message):
    with pytest.raises(ValueError, match=message) as error:
        find_builder(name)
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_tf_keras_is_not_switched_on():
    code = "import os, keras_kd.datasets.catalog as c; c.find_builder('mnist'); "
    code += "print(os.environ.get('TF_USE_LEGACY_KERAS'))"
    environment = {name: text for name, text in os.environ.items() if name != "TF_USE_LEGACY_KERAS"}
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert result.stdout.strip() == "None"
