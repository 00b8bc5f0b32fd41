"""Random changes of training images, in which teacher and student see the same."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from keras_kd.jobs.hyperparameters import AUGMENTATIONS
from keras_kd.messages import did_you_mean


def make_augmentation(names: Sequence[str], input_shape: Sequence[int]) -> keras.layers.Layer | None:
    """Layers that change a batch of images at random, or `None` for none.

    Args:
        names: `"flip"` left to right, `"shift"` by up to 10 %, `"zoom"` by up to 10 %, `"rotate"` by up to 10
            degrees.
        input_shape: The shape of one image, `(height, width, channels)`.

    Raises:
        ValueError: An unknown name; inputs that are no images.

    Examples:
        >>> import numpy as np
        >>> from keras_kd.jobs.augmentation import make_augmentation
        >>> make_augmentation(["flip", "shift"], (8, 8, 1))(np.zeros((2, 8, 8, 1))).shape
        TensorShape([2, 8, 8, 1])
    """
    for name in names:
        if name not in AUGMENTATIONS:
            raise ValueError(
                f"There is no augmentation {name!r}; there are {', '.join(AUGMENTATIONS)}."
                f"{did_you_mean(name, AUGMENTATIONS)}"
            )
    if names and (len(input_shape) != 3 or input_shape[-1] not in (1, 3)):
        raise ValueError(
            "Augmentation is for images, of shape (height, width, 1 or 3). The inputs have the shape "
            f"{tuple(input_shape)}."
        )
    layers = {
        "flip": lambda: keras.layers.RandomFlip("horizontal"),
        "shift": lambda: keras.layers.RandomTranslation(0.1, 0.1, fill_mode="nearest"),
        "zoom": lambda: keras.layers.RandomZoom(0.1, 0.1, fill_mode="nearest"),
        "rotate": lambda: keras.layers.RandomRotation(10 / 360, fill_mode="nearest"),
    }
    return keras.Sequential([layers[name]() for name in names], name="augmentation") if names else None


def augmented(batches: tf.data.Dataset, names: Sequence[str], input_shape: Sequence[int]) -> tf.data.Dataset:
    """Batches of `(x, ...)` whose images change at random; the batches as they are without `names`."""
    augment = make_augmentation(names, input_shape)
    if augment is None:
        return batches
    return batches.map(lambda x, *labels: (augment(x, training=True), *labels)).prefetch(2)
