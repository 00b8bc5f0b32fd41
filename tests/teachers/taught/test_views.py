"""Views are made again in any order and batch, from the seed and the key of each sample alone."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_kd.teachers.taught.digests import digests
from keras_kd.teachers.taught.views import augmented_batch, check_augment, describe_augment, view_seeds

X = np.random.default_rng(0).random((6, 8, 8, 1)).astype("float32")
KEYS = digests([X])
SPEC = tf.TensorSpec((None, 8, 8, 1))


def crop(image, seed):
    image = tf.image.stateless_random_flip_left_right(image, seed)
    if tf.reduce_mean(image) > 0:  # which AutoGraph converts
        image = tf.pad(image, [[2, 2], [2, 2], [0, 0]])
    return tf.image.stateless_random_crop(image, (8, 8, 1), seed)


def in_numpy(image, seed):
    def noisy(image, seed):
        return image + np.random.default_rng(abs(seed)).normal(size=image.shape).astype("float32")

    return tf.ensure_shape(tf.numpy_function(noisy, [image, seed], tf.float32), image.shape)


AUGMENTS = {
    "a function": lambda: crop,
    "NumPy": lambda: in_numpy,
    "RandomRotation": lambda: keras.layers.RandomRotation(0.2),
    "RandomCrop": lambda: keras.layers.RandomCrop(5, 5),
    "several layers": lambda: keras.Sequential(
        [keras.layers.RandomTranslation(0.2, 0.2), keras.layers.RandomBrightness(0.3, (0, 1))]
    ),
    "Dropout": lambda: keras.layers.Dropout(0.5),
}


def views(augment, x, keys, number, root=0):
    data = tf.data.Dataset.from_tensor_slices((x, keys)).batch(4)
    seeds = tf.autograph.experimental.do_not_convert(lambda keys: view_seeds(root, keys, tf.constant(number)))
    made = data.map(
        tf.autograph.experimental.do_not_convert(lambda x, keys: augmented_batch(augment, x, seeds(keys)))
    )
    return np.concatenate(list(made.as_numpy_iterator()))


QUICK = "a function", "RandomRotation"


@pytest.mark.parametrize(
    "make",
    [pytest.param(v, id=k, marks=() if k in QUICK else pytest.mark.slow) for k, v in AUGMENTS.items()],
)
def test_replayed_in_another_order_and_anew(make):
    augment = make()
    check_augment(augment, SPEC)
    first = views(augment, X, KEYS, 1)
    order = [4, 0, 5, 2]
    np.testing.assert_array_equal(views(augment, X[order], KEYS[order], 1), first[order])
    np.testing.assert_array_equal(views(make(), X, KEYS, 1), first)  # with a seed of its own
    for other in (views(augment, X, KEYS, 2), views(augment, X, KEYS, 1, root=7)):
        assert (other != first).any((1, 2, 3)).sum() >= 4


def test_inputs_by_name_and_types():
    def augment(sample, seed):
        return {"a": tf.cast(sample["a"], tf.float32) / 255, "n": sample["n"]}

    x = {"a": tf.cast(255 * X, tf.uint8), "n": tf.constant([b"x"] * 6)}
    made = augmented_batch(augment, x, view_seeds(0, tf.constant(KEYS), tf.constant(0)))
    assert made["a"].dtype == tf.float32
    assert made["n"].shape == (6,)


def without_seed(image, seed):
    return tf.image.random_flip_left_right(image)


def of_keras(image, seed):
    return image + keras.random.uniform(image.shape)


def fails(image, seed):
    return image["none"]


ERRORS = {
    "no function": (0.5, TypeError, r"\(sample, seed\) -> sample.*Received: float"),
    "a class": (keras.layers.RandomFlip, TypeError, "Received: type"),
    "a state of its own": (
        without_seed,
        ValueError,
        r"do not come from its seed \(Random.*tf.image.stateless_",
    ),
    "a seed of Keras": (of_keras, ValueError, "draws random numbers that do not come from its seed"),
    "an error": (fails, ValueError, r"`augment` \(fails\) fails on one sample and its seed"),
    "no seed": (tf.identity, ValueError, r"`augment` \(identity\) "),
}


@pytest.mark.parametrize(("augment", "kind", "message"), ERRORS.values(), ids=ERRORS)
def test_what_cannot_be_replayed(augment, kind, message):
    with pytest.raises(kind, match=message):
        check_augment(augment, SPEC)


def test_what_a_manifest_says():
    assert [describe_augment(a) for a in (None, crop, keras.layers.Dropout(0.1))] == [None, "crop", "Dropout"]
