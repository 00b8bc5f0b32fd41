"""Views of the training images that are drawn anew from a seed, so that only a teacher's answers are kept."""

from typing import NamedTuple

import keras
import numpy as np

import keras_kd as kd


class Recipe(NamedTuple):
    """What is done to the images of a view."""

    moved: bool  # flipped and shifted
    mixed: bool  # each image blended with another


RECIPES = {"plain": Recipe(False, False), "shifts": Recipe(True, False), "mixup": Recipe(True, True)}


class View(NamedTuple):
    """Images, and their labels as a probability for each class."""

    images: np.ndarray
    labels: np.ndarray


def view(split, recipe, number, most, flips):
    """A view of a split: the same for the same number, whoever asks for it.

    Args:
        split: Images `(samples, height, width, channels)` and class numbers.
        recipe: A `Recipe`.
        number: Which of its views.
        most: By how many pixels an image is shifted at most.
        flips: Whether half of the images are flipped left to right, which no digit survives.
    """
    rng = np.random.default_rng(number)
    images = moved(split.x, rng, most, flips) if recipe.moved else split.x
    found = View(images, np.eye(10, dtype="float32")[split.y])
    return mixed(found, rng) if recipe.mixed else found


def moved(images, rng, most, flips):
    """Each image shifted by up to `most` pixels each way, with zeros where nothing is left, and flipped."""
    height, width = images.shape[1:3]
    padded = np.pad(images, ((0, 0), (most, most), (most, most), (0, 0)))
    found = np.empty_like(images)
    places = rng.integers(0, 2 * most + 1, (len(images), 2))
    for down, right in np.ndindex(2 * most + 1, 2 * most + 1):  # far faster than an index for each pixel
        own = np.flatnonzero((places == (down, right)).all(-1))
        found[own] = padded[own, down : down + height, right : right + width]
    if flips:
        turned = rng.random(len(images)) < 0.5
        found[turned] = found[turned, :, ::-1]
    return found


def mixed(given, rng):
    """Each image and its labels blended with another one's: mixup (arXiv 1710.09412) with its alpha at 1.

    Function matching (arXiv 2106.05237) lets teacher and student answer just these.
    """
    partners = rng.permutation(len(given.images))
    share = rng.random((len(partners), 1), "float32")
    wide = share[:, None, None]
    images = wide * given.images + (1 - wide) * given.images[partners]
    return View(images, share * given.labels + (1 - share) * given.labels[partners])


def batches(views, count, epochs, size, seed, logits=None):
    """Batches for `fit`: the views in turn, each in an order of its own.

    Args:
        views: Makes the view of a number.
        count: How many views there are. After the last one, the first one comes again.
        epochs: How many views are passed through.
        size: Samples of a batch; those that fill none are left out of an epoch.
        seed: Draws the orders.
        logits: A teacher's, `(views, samples, classes)`, to be added to the batches.
    """
    rng = np.random.default_rng(seed)
    for epoch in range(epochs):
        number = epoch % count
        images, labels = views(number)
        order = rng.permutation(len(images))
        for rows in order[: len(order) // size * size].reshape(-1, size):
            x = images[rows]
            yield x if logits is None else kd.Taught(x, {"output": logits[number][rows]}), labels[rows]


def answers(model, views, count):
    """A model's logits on as many views, `(views, samples, classes)`."""
    return np.stack(
        [model.predict(views(number).images, batch_size=500, verbose=0) for number in range(count)]
    )


def averaged(models):
    """One model whose logits are the logarithm of the mean of the models' probabilities."""
    inputs = keras.Input(models[0].input_shape[1:], name="image")
    logs = [keras.ops.log_softmax(model(inputs)) for model in models]
    mean = keras.ops.logsumexp(keras.ops.stack(logs), axis=0) - np.log(len(models))
    return keras.Model(inputs, mean, name="averaged")
