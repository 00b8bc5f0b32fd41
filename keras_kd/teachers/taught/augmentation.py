"""Consistent teaching without a cache: both models see the same view of each sample, mixed or not."""

import tensorflow as tf

from keras_kd.teachers.taught.keyed import Key, KeyedBatch, Passes, keyed, unpacked
from keras_kd.teachers.taught.sources import Data, as_dataset
from keras_kd.teachers.taught.viewed import require_count, require_seed
from keras_kd.teachers.taught.views import Augment, augmented_batch, check_augment, view_seeds
from keras_kd.tensors import Tensor, Tensors

_OF_MIXTURES = 0x6D6978  # so that they do not go with the views


def augmented(
    data: Data,
    augment: Augment | None = None,
    *,
    mixup: float = 0.0,
    views: int | None = None,
    seed: int = 0,
    key: Key = None,
    batch_size: int = 32,
    shuffle: bool = True,
) -> tf.data.Dataset:
    """Data in which each pass gives another view of each sample, the same again in any other process.

    A Distiller gives what it reads to both models, so teacher and student see one crop and one mixture, which
    matters more than what they see (FunMatch). A view is a function of the sample and of a seed that comes
    from `seed`, the sample's key and the number of the pass, in whatever order the samples come.

    Passes are counted in this process, from 0: one for each epoch of `fit`, or for each repetition of
    `.repeat()`. With the latter, and `steps_per_epoch`, `kd.FullState` resumes at the same views.

    Source: Beyer and others 2022, arXiv 2106.05237: consistent views, mixtures over the whole range
    (`mixup=1`), and patience. Zhang and others 2018, arXiv 1710.09412: mixup.

    Args:
        data: Data in any form that `kd.precompute` takes.
        augment: A stateless function `(sample, seed) -> sample`, where `seed` is `(2,)` in int32; or a layer
            of Keras such as `RandomRotation`. Default: samples stay as they are, and may be mixed.
        mixup: Mixes each sample with its neighbor in the batch, `share * x + (1 - share) * neighbor` where
            the share has the distribution Beta(mixup, mixup); 0 does not. Labels, if any, are mixed as well
            and must be floats: one-hot.
        views: After how many passes the views repeat. Default: never.
        seed: The root of all seeds.
        key: What names a sample, as in `kd.precompute`. Default: its contents.
        batch_size: Samples per batch, where data comes without batches.
        shuffle: Whether arrays and samples with an index are shuffled, anew for each pass; not with
            `key="index"`.

    Returns:
        A data set of `x`, `(x, y)` or `(x, y, weights)`, as the data.

    Raises:
        TypeError: `augment` is no function; inputs or labels that are mixed are integers.
        ValueError: `augment` draws random numbers that do not come from its seed; an argument is invalid.

    Examples:
        >>> import numpy as np
        >>> import tensorflow as tf
        >>> import keras_kd as kd
        >>> images = tf.data.Dataset.from_tensor_slices(np.random.rand(8, 4, 4, 1).astype("float32")).batch(4)
        >>> flip = tf.image.stateless_random_flip_left_right
        >>> data = kd.augmented(images, flip, mixup=1.0)
        >>> next(iter(data)).shape
        TensorShape([4, 4, 4, 1])
    """
    require_count("batch_size", batch_size)
    require_seed(seed)
    batches = as_dataset(data, batch_size, shuffle and key != "index")
    x, y, _ = unpacked(batches.element_spec)
    _check(augment, mixup, views, x, y)

    @tf.autograph.experimental.do_not_convert
    def made(batch: KeyedBatch) -> Tensors:
        view = batch.number if views is None else batch.number % views
        x, y = batch.x, batch.y
        if augment is not None:
            x = augmented_batch(augment, x, view_seeds(seed, batch.keys, view))
        if mixup:
            shares = _shares(mixup, view_seeds(seed ^ _OF_MIXTURES, batch.keys, view))
            x, y = _mixed(x, shares), _mixed(y, shares)
        return _packed(x, y, batch.sample_weight)

    return keyed(batches, key, Passes()).map(made, tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def _check(augment: Augment | None, mixup: float, views: int | None, x: Tensors, y: Tensors) -> None:
    if isinstance(mixup, bool) or not isinstance(mixup, (int, float)) or not 0 <= mixup < float("inf"):
        raise ValueError(f"`mixup` is a number of 0 or more. Received: {mixup!r}.")
    if views is not None:
        require_count("views", views)
    if augment is None and not mixup:
        raise ValueError("Pass `augment`, `mixup` or both: without them, each view is the data itself.")
    if augment is not None:
        check_augment(augment, x)
    for name, part in {"inputs": x, "labels": y}.items():
        whole = [spec.dtype.name for spec in tf.nest.flatten(part) if spec is not None]
        integer = next((dtype for dtype in whole if not tf.as_dtype(dtype).is_floating), None)
        if mixup and integer is not None:
            advice = "tf.cast(x, 'float32')" if name == "inputs" else "tf.one_hot(y, classes)"
            raise TypeError(
                f"`mixup` mixes floats, and the {name} are {integer}. Convert them in `dataset.map`: {advice}"
                f"{', or leave out the labels: a teacher labels mixtures' if name == 'labels' else ''}."
            )


def _shares(concentration: float, seeds: Tensor) -> Tensor:
    """A share of each sample, of the distribution Beta: a quotient of two Gammas."""

    def share(seed: Tensor) -> Tensor:
        own, other = tf.unstack(tf.random.stateless_gamma([2], seed, concentration))
        return tf.math.divide_no_nan(own, own + other)

    return tf.map_fn(share, seeds, fn_output_signature=tf.float32)


def _mixed(parts: Tensors, shares: Tensor) -> Tensors:
    def mix(part: Tensor) -> Tensor:
        share = tf.cast(tf.reshape(shares, [-1] + [1] * (len(part.shape) - 1)), part.dtype)
        return share * part + (1 - share) * tf.roll(part, 1, axis=0)

    return tf.nest.map_structure(lambda part: None if part is None else mix(part), parts)


def _packed(x: Tensors, y: Tensors, sample_weight: Tensors) -> Tensors:
    if y is None and sample_weight is None:
        return x
    return (x, y) if sample_weight is None else (x, y, sample_weight)
