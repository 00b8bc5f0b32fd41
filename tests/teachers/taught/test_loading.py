"""A cache is joined again, or refused early with what differs."""

import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_kd as kd
from keras_kd.teachers.taught.shards import unmap
from keras_kd.teachers.taught.views import Augment
from tests.teachers.taught.conftest import X, Y, classifier

TEACHER = classifier()


def dim(image, seed):
    return image * tf.random.stateless_uniform([], seed)


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    folder = tmp_path_factory.mktemp("taught") / "cache"
    kd.precompute(TEACHER, (X, Y), folder, signals=["output", "features"], verbose=False)
    return folder


def test_some_signals(taught):
    data = kd.load_taught(taught, (X, Y), signals=["features"], teacher=TEACHER, shuffle=False)
    batch, labels = next(iter(data))
    assert list(batch.signals) == ["features"]
    np.testing.assert_array_equal(labels, Y[:32])


def test_a_relative_path_is_that_of_the_directory_in_which_it_was_opened(taught, monkeypatch):
    monkeypatch.chdir(taught.parent)
    unmap()  # no file is open yet
    data = kd.load_taught(taught.name, (X, Y), verify=False)
    unmap()
    monkeypatch.chdir("/")
    assert sum(len(labels) for _, labels in data) == len(Y)


def test_arrays_are_shuffled_anew_in_each_pass(taught):
    data = kd.load_taught(taught, (X, Y))
    first, second = (np.concatenate([labels for _, labels in data]) for _ in range(2))
    assert first.tolist() != second.tolist()
    assert sorted(first) == sorted(Y)


ERRORS = {
    "another teacher": ({"teacher": classifier()}, "signals of another teacher: its weights differ"),
    "other signals": ({"signals": ["feature"]}, r"'feature' was not stored.*Did you mean 'features'"),
    "a key": ({"key": "index"}, r"was taught with the key 'content'. Received: 'part index'"),
    "an augmentation": ({"augment": dim}, "was taught with the augment None. Received: 'dim'"),
    "another shape": (
        {"data": X[:, :5]},
        r"inputs \['\(6, 6, 1\) float32'\]. Received: \['\(5, 6, 1\) float32'\]",
    ),
    "a batch": ({"batch_size": -1}, "`batch_size` must be a whole number of 1 or more. Received: -1"),
    "other data": ({"data": 1 - X}, "holds no signals of 32 samples of 32 in the batch"),
}


@pytest.mark.parametrize(("options", "message"), ERRORS.values(), ids=ERRORS)
def test_what_differs_is_an_error_at_once(taught, options, message):
    with pytest.raises(ValueError, match=message):
        kd.load_taught(taught, **{"data": (X, Y)} | options)


def test_a_flipped_byte_is_named_before_training(taught, cache):
    path = shutil.copytree(taught, cache) / "00000.rows.npy"
    content = bytearray(path.read_bytes())
    content[-7] ^= 64
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"00000.rows.npy was changed or damaged"):
        kd.load_taught(cache, (X, Y))


def test_nothing_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"holds nothing that kd.precompute wrote"):
        kd.load_taught(tmp_path, X)


@pytest.mark.slow
def test_another_augmentation_of_the_same_name(teacher, cache):
    def named(function) -> Augment:
        function.__name__ = "augment"
        return function

    options = {"shuffle": False, "verbose": False}
    kd.precompute(teacher, (X, Y), cache, augment=named(dim), **options)
    changed = named(lambda image, seed: image + tf.random.stateless_uniform([], seed))
    with pytest.raises(ValueError, match=r"40 samples of 40 .* or its `augment` makes another view of them"):
        kd.load_taught(cache, (X, Y), augment=changed, batch_size=40, shuffle=False)


@pytest.mark.slow
def test_a_layer_made_anew_makes_the_same_views(teacher, cache):
    options = {"views": 2, "dtype": "float32", "verbose": False}
    kd.precompute(teacher, (X, Y), cache, augment=keras.layers.RandomRotation(0.2), **options)
    data = kd.load_taught(cache, (X, Y), augment=keras.layers.RandomRotation(0.2))
    for _ in range(3):
        for batch, _ in data:
            np.testing.assert_allclose(batch.signals["output"], teacher(batch.inputs), atol=1e-6)
