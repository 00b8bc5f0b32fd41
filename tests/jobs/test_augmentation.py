"""Random changes of images: another one in each epoch, the same again with the same seed."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_kd.jobs.augmentation import make_augmentation
from keras_kd.jobs.hyperparameters import AUGMENTATIONS

IMAGES = np.random.default_rng(0).random((8, 16, 16, 3)).astype("float32")


def epochs(name):
    keras.utils.set_random_seed(0)
    layer = make_augmentation([name], IMAGES.shape[1:])
    data = tf.data.Dataset.from_tensors(IMAGES).map(lambda x: layer(x, training=True))
    return [next(iter(data)).numpy() for _ in range(2)]


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_images_change_and_stay_images(name):
    first, second = epochs(name)
    assert first.shape == IMAGES.shape
    assert first.dtype == IMAGES.dtype
    assert not np.array_equal(first, IMAGES)
    assert not np.array_equal(first, second)
    assert first.min() >= -1e-5
    assert first.max() <= 1 + 1e-5
    again = epochs(name)
    np.testing.assert_array_equal([first, second], again)


def test_none_is_none():
    assert make_augmentation([], (4,)) is None


@pytest.mark.parametrize(
    ("names", "shape", "message"),
    [
        (["flipp"], (8, 8, 1), "no augmentation 'flipp'; .*flip"),
        (["flip"], (8,), r"images, of shape \(height, width, 1 or 3\). The inputs have the shape \(8,\)"),
        (["flip"], (8, 8, 4), "images"),
    ],
)
def test_what_cannot_be_augmented(names, shape, message):
    with pytest.raises(ValueError, match=message):
        make_augmentation(names, shape)
