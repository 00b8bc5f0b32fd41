"""Data joined to what was taught: each sample gets its signals by its key, and what differs is refused."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_kd.messages import number_of
from keras_kd.signals.batches import Taught
from keras_kd.teachers.taught.digests import digests
from keras_kd.teachers.taught.keyed import Key, KeyedBatch, Passes, free_axes, keyed
from keras_kd.teachers.taught.store import Store
from keras_kd.teachers.taught.views import Augment, augmented_batch, view_seeds


class Join:
    """Joins data to a store.

    Args:
        store: The signals.
        taps: Which of them.
        key: What names a sample of the data.
        augment: What makes the views, as when they were taught.
    """

    def __init__(self, store: Store, taps: Sequence[str], key: Key, augment: Augment | None) -> None:
        self._store, self._taps, self._key, self._augment = store, taps, key, augment
        self._free: list[bool] = []  # of the inputs, whether their second axis has any length
        self._passes = Passes()
        self._error: ValueError | None = None

    def dataset(self, data: tf.data.Dataset) -> tf.data.Dataset:
        """The data as `(kd.Taught(inputs, signals), labels, weights)`, with view 0 in the first pass."""
        passes = self._passes if self._store.manifest.views > 1 else None
        batches = keyed(data, self._key, passes)
        joined = tf.autograph.experimental.do_not_convert(self._joined)
        return batches.map(joined, tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)

    def try_first(self, data: tf.data.Dataset) -> None:
        """Raise a `ValueError` if the first batch cannot be joined."""
        try:
            next(iter(self.dataset(data.take(1))), None)
        except tf.errors.OpError:
            if self._error is None:
                raise
            raise self._error from None
        finally:
            self._passes.restart()

    def _joined(self, batch: KeyedBatch) -> Any:
        manifest = self._store.manifest
        view, x = batch.number % manifest.views, batch.x
        if self._augment is not None:
            x = augmented_batch(self._augment, x, view_seeds(manifest.seed, batch.keys, view))
        signals = [manifest.signal(tap) for tap in self._taps]
        leaves, self._free = tf.nest.flatten(x), free_axes(x)
        told = [-1 if s.length_of is None else tf.shape(leaves[s.length_of], tf.int64)[1] for s in signals]
        # The content is the key already, unless it was augmented.
        seen = [] if manifest.key == "content" and self._augment is None else leaves
        given = [batch.position, view, batch.keys, tf.stack([*told, 0]), *seen]
        found = tf.numpy_function(self._read, given, [tf.as_dtype(s.given) for s in signals])
        named = {
            signal.tap: tf.ensure_shape(tensor, [None, *signal.shape])
            for signal, tensor in zip(signals, found, strict=True)
        }
        return keras.utils.pack_x_y_sample_weight(Taught(x, named), batch.y, batch.sample_weight)

    def _read(
        self, position: np.ndarray, view: np.ndarray, keys: np.ndarray, lengths: np.ndarray, *x: np.ndarray
    ) -> list[np.ndarray]:
        try:
            places = self._store.find(keys)
            self._require_found(places, keys, int(position))
            if x:
                self._require_same(
                    self._store.digests(places, int(view)), digests(x, self._free), int(position)
                )
            pairs = zip(self._taps, lengths.tolist(), strict=False)  # ends with one more length
            return [
                self._store.read(tap, places, int(view), None if length < 0 else length)
                for tap, length in pairs
            ]
        except ValueError as error:
            self._error = error  # TensorFlow passes its text on
            raise

    def _require_found(self, places: np.ndarray, keys: np.ndarray, position: int) -> None:
        missing = np.flatnonzero(places < 0)
        if not len(missing):
            return
        manifest, first = self._store.manifest, int(missing[0])
        samples = number_of(len(missing), "sample")
        where = f"the first at position {position + first}, with key {_shown(keys[first], manifest.key)}"
        if manifest.samples is None:
            advice = "Not all data was taught yet: kd.precompute with the same arguments goes on."
        elif manifest.key == "content":
            advice = (
                "Its inputs are not those that were taught: they were changed, or made anew by something "
                "that is not deterministic, or left out then, as by drop_remainder=True. Augment with "
                "`augment`, after the key is taken; kd.precompute adds new samples."
            )
        else:
            advice = f"The key is the {manifest.key}; samples that are new are added by kd.precompute."
        raise ValueError(
            f"{self._store.folder} holds no signals of {samples} of {len(keys)} in the batch, {where}. "
            f"{advice}"
        )

    def _require_same(self, stored: np.ndarray, found: np.ndarray, position: int) -> None:
        changed = np.flatnonzero(stored != found)
        if len(changed):
            made = "" if self._augment is None else ", or its `augment` makes another view of them"
            raise ValueError(
                f"{number_of(len(changed), 'sample')} of {len(found)} in the batch, the first at position "
                f"{position + int(changed[0])}, differ from what the teacher saw in {self._store.folder} "
                f"under the same key: the inputs were changed or reordered{made}. Teach them again in "
                "another folder."
            )


def join(
    store: Store, data: tf.data.Dataset, taps: Sequence[str], key: Key, augment: Augment | None
) -> tf.data.Dataset:
    """The data with its signals; the first batch is joined at once.

    Raises:
        ValueError: A signal was not stored; the first batch has a sample that was not taught, or another one
            under its key.
    """
    for tap in taps:
        store.manifest.signal(tap)
    joined_by = Join(store, taps, key, augment)
    joined_by.try_first(data)
    return joined_by.dataset(data)


def _shown(key: np.uint64, kind: str) -> str:
    return f"{int(key):016x}" if kind == "content" or kind.startswith("function") else str(int(key))
