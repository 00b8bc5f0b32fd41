"""Data in all views of each sample, with keys and digests."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from keras_kd.teachers.taught.digests import digests
from keras_kd.teachers.taught.keyed import Key, KeyedBatch, describe_inputs, free_axes, keyed, unpacked
from keras_kd.teachers.taught.sources import require_end
from keras_kd.teachers.taught.views import Augment, augmented_batch, check_augment, view_seeds
from keras_kd.tensors import Tensors

_AHEAD = 2  # batches that are read while one is labelled


class ViewedBatch(NamedTuple):
    """A batch of samples in all their views."""

    position: int
    keys: np.ndarray
    digests: np.ndarray  # (samples, views): of what the teacher sees
    views: Sequence[Tensors]  # the inputs

    def take(self, rows: Sequence[int]) -> "ViewedBatch":
        """Some of its samples."""
        if len(rows) == len(self.keys):
            return self
        views = [tf.nest.map_structure(lambda part: part[rows], x) for x in self.views]
        return ViewedBatch(self.position, self.keys[rows], self.digests[rows], views)


class Views:
    """All views of all samples of data, in one pass.

    Args:
        data: Batches.
        key: What names a sample.
        augment: What makes a view, or `None`.
        views: How many.
        seed: The root of their seeds.

    Attributes:
        spec: Of the inputs of a view.
        inputs: What a manifest says of the inputs.
        number_of_batches: `None` if it is unknown.

    Raises:
        ValueError: The data goes on forever; an argument is invalid; several views are the same.
        TypeError: An argument of another type.
    """

    def __init__(
        self, data: tf.data.Dataset, key: Key, augment: Augment | None, views: int, seed: int
    ) -> None:
        require_end(data)
        require_count("views", views)
        require_seed(seed)
        x, _, _ = unpacked(data.element_spec)
        self.key, self.augment, self.count, self.seed = key, augment, views, seed
        self.inputs = describe_inputs(x)
        if augment is not None:
            check_augment(augment, x)
        elif views > 1:
            raise ValueError(
                f"{views} views of a sample are the same without `augment`, a stateless function "
                "(sample, seed) -> sample. Pass one, or leave out `views`."
            )
        made = tf.autograph.experimental.do_not_convert(self._made)
        self._data = _untuned(keyed(data, key).map(made, tf.data.AUTOTUNE).prefetch(_AHEAD))
        self.spec = self._data.element_spec[2][0]
        known = int(data.cardinality())
        self.number_of_batches = known if known >= 0 else None

    def _made(self, batch: KeyedBatch) -> tuple[Tensors, ...]:
        if self.augment is None:
            return batch.position, batch.keys, (batch.x,)
        views = []
        for number in range(self.count):
            seeds = view_seeds(self.seed, batch.keys, tf.constant(number, tf.int64))
            views.append(augmented_batch(self.augment, batch.x, seeds))
        return batch.position, batch.keys, tuple(views)

    def first(self) -> ViewedBatch:
        """A first batch.

        Raises:
            ValueError: There is none.
        """
        found = next(self._read(self._data.take(1)), None)
        if found is None:
            raise ValueError("The data is empty.")
        return found

    def batches(self) -> Iterator[ViewedBatch]:
        """Batch by batch."""
        return self._read(self._data)

    def _read(self, data: tf.data.Dataset) -> Iterator[ViewedBatch]:
        free = free_axes(self.spec)
        is_key = self.key is None and self.augment is None  # the digest
        for position, keys, xs in data.as_numpy_iterator():
            each = [keys if is_key else digests(tf.nest.flatten(x), free) for x in xs]
            yield ViewedBatch(int(position), keys, np.stack(each, 1), xs)


def _untuned(data: tf.data.Dataset) -> tf.data.Dataset:
    """Data whose iterators end at once: TensorFlow's tuning of a pipeline holds them up to a second."""
    options = tf.data.Options()
    options.autotune.enabled = False
    return data.with_options(options)


def require_count(name: str, value: int) -> None:
    """Raise an error unless an argument is a whole number of 1 or more."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"`{name}` must be a whole number of 1 or more. Received: {value!r}.")


def require_seed(seed: int) -> None:
    """Raise an error unless a seed is a whole number of 64 bits."""
    if isinstance(seed, bool) or not isinstance(seed, int) or not -(2**63) <= seed < 2**63:
        raise ValueError(f"`seed` must be a whole number of at most 64 bits. Received: {seed!r}.")
