"""Datasets of tensorflow-datasets: found by name, read in the order of their files."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import tensorflow as tf

from keras_kd.datasets.data import Pixels
from keras_kd.datasets.images import to_bytes
from keras_kd.datasets.model_shape import ModelShape, fits
from keras_kd.datasets.rows import Found, Rows, check_memory
from keras_kd.messages import did_you_mean, one_line

if TYPE_CHECKING:
    from tensorflow_datasets.core import DatasetBuilder
    from tensorflow_datasets.core.features import FeatureConnector

_Conversion: TypeAlias = Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]
_SPLITS = ("train", "validation", "test")


def find_builder(name: str) -> "DatasetBuilder":
    """What prepares and reads a dataset, by its name: `"mnist"`, `"emnist/digits"`, `"mnist:3.*.*"`.

    Raises:
        ValueError: There is no such dataset.
    """
    import tensorflow_datasets as tfds

    try:
        return tfds.builder(name)
    except tfds.core.DatasetNotFoundError:
        known = tfds.list_builders(with_community_datasets=False)
        hint = did_you_mean(name.partition("/")[0], known, most=3)
        raise ValueError(f"tensorflow-datasets has no dataset {name!r}.{hint}") from None
    except (ValueError, AssertionError, ImportError) as error:
        hint = did_you_mean(name.partition("/")[2], _configs(name), most=3)
        raise ValueError(f"The dataset {name!r} cannot be opened: {one_line(error)}{hint}") from None


def _configs(name: str) -> list[str]:
    import tensorflow_datasets as tfds

    try:
        return list(tfds.builder_cls(name.partition("/")[0]).builder_configs)
    except Exception:  # the name is no name, or its module does not import: there is nothing to suggest
        return []


def read_split(builder: "DatasetBuilder", split: str) -> tf.data.Dataset:
    """The samples of a split, as pairs, in the order of the files: the same in every process."""
    import tensorflow_datasets as tfds

    read = tfds.ReadConfig(interleave_cycle_length=1)
    return builder.as_dataset(split=split, shuffle_files=False, read_config=read, as_supervised=True)


def find_prepared(
    builder: "DatasetBuilder", model: ModelShape, pixels: Pixels, image_size: tuple[int, int] | None
) -> Found:
    """The rows of a dataset that is prepared: images, or numbers, and their labels.

    Args:
        builder: The dataset.
        model: What its inputs have to fit.
        pixels: The range of the values of images.
        image_size: Height and width of images where the model leaves them free.

    Raises:
        ValueError: It has no inputs with labels, or they do not fit the model.
    """
    name, (features, label) = builder.info.full_name, _supervised(builder)
    shape, are_images = input_shape(builder, model, image_size), _are_images(features)
    convert: _Conversion = _as_floats
    words = ""
    if are_images:
        convert, words = _resizing(shape), f", resized to {'x'.join(map(str, shape))}, pixels {pixels}"
    row_bytes = math.prod(shape) * (1 if are_images else 4)
    sizes = {split: builder.info.splits[split].num_examples for split in _splits(builder)}
    samples = sum(sizes.values())
    check_memory(samples * row_bytes, f"{samples:,} samples of the dataset {name!r}")
    groups = {
        split if len(sizes) > 1 else "train": _rows(read_split(builder, split).map(convert, tf.data.AUTOTUNE))
        for split in sizes
    }
    text = f"{samples:,} samples of tensorflow-datasets {name}{words}"
    names = tuple(getattr(label, "names", None) or ())
    return Found(groups, text, names, pixels if are_images else None)


def _splits(builder: "DatasetBuilder") -> list[str]:
    """The splits to read: those with the usual names, or the first one, whatever its name."""
    names = list(builder.info.splits)
    return [name for name in _SPLITS if name in names] if "train" in names else names[:1]


def input_shape(
    builder: "DatasetBuilder", model: ModelShape, image_size: tuple[int, int] | None
) -> tuple[int, ...]:
    """The shape of a sample's input as the model takes it; known before the dataset is prepared.

    Raises:
        ValueError: The dataset has no inputs with labels, or they do not fit the model.
    """
    features, _ = _supervised(builder)
    if _are_images(features):
        return model.image(image_size)
    wanted, kind = model.only_input("Datasets"), _kind(features)
    if kind not in ("float32", "float64") or not fits(features.shape, wanted):
        raise ValueError(
            f"The inputs of the dataset {builder.info.full_name!r} are {kind} of shape {features.shape}; the "
            f"model takes float32 of shape {wanted}, or images."
        )
    return tuple(features.shape)


def _are_images(features: "FeatureConnector") -> bool:
    return _kind(features) == "uint8" and len(features.shape) == 3


def _kind(features: "FeatureConnector") -> str:
    """The type of a feature."""
    kind = features.tf_dtype
    return kind.name if isinstance(kind, tf.DType) else "a structure"


def _supervised(builder: "DatasetBuilder") -> "tuple[FeatureConnector, FeatureConnector]":
    """The features that are inputs and labels."""
    keys, features = builder.info.supervised_keys, builder.info.features
    if keys is None or len(keys) != 2 or not all(isinstance(key, str) for key in keys):
        raise ValueError(
            f"The dataset {builder.info.full_name!r} does not say what are inputs and what are labels; it "
            f"has {', '.join(features)}. Read it in Python, and write the arrays with numpy.savez."
        )
    return features[keys[0]], features[keys[1]]


def _rows(dataset: tf.data.Dataset) -> Rows:
    x, y = (np.concatenate(parts) for parts in zip(*dataset.batch(1024).as_numpy_iterator(), strict=True))
    return Rows(len(x), lambda some: x[some], y)


def _as_floats(x: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    return tf.cast(x, "float32"), y


def _resizing(shape: tuple[int, ...]) -> _Conversion:
    """A function that brings images to a shape: also gray ones to three channels, or the reverse."""

    def convert(image: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        channels = image.shape[-1], shape[2]
        if channels == (1, 3):
            image = tf.image.grayscale_to_rgb(image)
        elif channels == (3, 1):
            image = tf.image.rgb_to_grayscale(image)
        image = to_bytes(image, shape)
        return tf.ensure_shape(image, shape), label

    return convert
