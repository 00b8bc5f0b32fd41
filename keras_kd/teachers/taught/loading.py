"""Joining data to what was taught earlier."""

import os
from collections.abc import Sequence

import tensorflow as tf

from keras_kd.teachers.taught.identity import identify, is_identified
from keras_kd.teachers.taught.joining import join
from keras_kd.teachers.taught.keyed import Key, describe_inputs, describe_key, unpacked
from keras_kd.teachers.taught.manifest import Manifest, require_teacher
from keras_kd.teachers.taught.opening import find_teacher
from keras_kd.teachers.taught.parts import Functions, whole
from keras_kd.teachers.taught.precompute import check_taps
from keras_kd.teachers.taught.remote import Folder, as_folder
from keras_kd.teachers.taught.sources import Data
from keras_kd.teachers.taught.store import Store
from keras_kd.teachers.taught.viewed import require_count
from keras_kd.teachers.taught.views import Augment, check_augment, describe_augment


def load_taught(
    path: str | os.PathLike[str],
    data: Data | Functions,
    *,
    signals: Sequence[str] | None = None,
    augment: Augment | None = None,
    key: Key = None,
    teacher: object = None,
    batch_size: int = 32,
    shuffle: bool = True,
    verify: bool = True,
) -> tf.data.Dataset:
    """Join data to the signals that `kd.precompute` stored in a folder.

    Data may be shuffled, filtered, repeated and batched otherwise than it was. A sample that was not taught,
    or that was changed, is an error that says which; the first batch is joined at once.

    Args:
        path: The folder, here or on any store that fsspec reaches.
        data: The data that was taught, in any form that `kd.precompute` takes.
        signals: Which signals to join. Default: all that were stored.
        augment: What makes the views, as it was given to `kd.precompute`.
        key: What names a sample, as it was given to `kd.precompute`.
        teacher: The teacher whose signals they should be, in any form that `kd.precompute` takes, to check
            that they are; a plain function cannot be told from others. Default: any.
        batch_size: Samples per batch, where data comes without batches.
        shuffle: Whether arrays and samples with an index are shuffled, anew for each epoch, as `fit` does;
            not with `key="index"`.
        verify: Whether to compare the checksums of all files first.

    Returns:
        A data set of `(kd.Taught(inputs, signals), y)`, with the weights if there are any, and without `y`
        if there are no labels.

    Raises:
        FileNotFoundError: The folder holds nothing that `kd.precompute` wrote.
        ValueError: The signals are of another teacher, data, key, augmentation or version; a file is damaged;
            a sample was not taught.

    Examples:
        >>> import keras, numpy as np
        >>> import keras_kd as kd
        >>> x, y = np.random.rand(64, 4).astype("float32"), np.random.randint(0, 3, 64)
        >>> teacher = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
        >>> _ = kd.precompute(teacher, (x, y), "cache/train", verbose=False)
        >>> order = np.random.permutation(64)
        >>> taught, labels = next(iter(kd.load_taught("cache/train", (x[order], y[order]))))
        >>> bool(np.allclose(taught.signals["output"], teacher(taught.inputs), atol=1e-2))
        True
    """
    folder = as_folder(path)
    require_count("batch_size", batch_size)
    manifest = Manifest.load(folder)
    batches = whole(data, batch_size, shuffle and key != "index")
    if teacher is not None:
        _check_teacher(manifest, teacher, batches, folder)
    _check(manifest, folder, batches, key, augment)
    taps = [signal.tap for signal in manifest.signals] if signals is None else check_taps(signals)
    return join(Store(folder, verify), batches, taps, key, augment)


def _check_teacher(manifest: Manifest, teacher: object, data: tf.data.Dataset, folder: Folder) -> None:
    x, _, _ = unpacked(data.element_spec)
    identity = identify(find_teacher(teacher, manifest.outputs).opened(x))
    require_teacher(manifest.teacher, identity, folder)
    if not is_identified(identity):
        raise ValueError(
            "`teacher` has no fingerprint, so it is told by its answers alone: kd.precompute with the same "
            "arguments asks it for some of those that are stored. Leave it out here, or give it a "
            "`fingerprint`."
        )


def _check(
    manifest: Manifest, folder: Folder, data: tf.data.Dataset, key: Key, augment: Augment | None
) -> None:
    x, _, _ = unpacked(data.element_spec)
    found = {
        "inputs": describe_inputs(x),
        "key": describe_key(key),
        "augment": describe_augment(augment),
    }
    for name, value in found.items():
        stored = getattr(manifest, name)
        if stored != value:
            raise ValueError(f"{folder} was taught with the {name} {stored!r}. Received: {value!r}.")
    if augment is not None:
        check_augment(augment, x)
