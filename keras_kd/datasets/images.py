"""A folder of images, in which each class has a folder."""

import re
from collections import Counter
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from keras_kd.datasets.data import Pixels
from keras_kd.datasets.rows import Found, Rows
from keras_kd.datasets.splits import SPLIT_NAMES
from keras_kd.messages import one_line, some_of

# What `keras.utils.image_dataset_from_directory` reads.
SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png")


def find_images(folder: Path, shape: tuple[int, int, int], pixels: Pixels) -> Found:
    """The images of a folder: `train/`, `test/` and perhaps `val/` with class folders, or class folders.

    Args:
        folder: The folder.
        shape: Height, width and channels that images are converted to.
        pixels: The range of their values.

    Raises:
        ValueError: It does not hold a folder of images for each class.
    """
    folders = _folders_of_splits(folder)
    indexed = {split: _index(path) for split, path in folders.items()}
    class_names = next(iter(indexed.values()))[1]
    groups = {
        split: _rows(paths, names, class_names, folders[split], shape)
        for split, (paths, names) in indexed.items()
    }
    height, width, channels = shape
    images = sum(rows.size for rows in groups.values())
    text = f"{images:,} images, resized to {height}x{width}x{channels}, pixels {pixels}"
    return Found(groups, text, class_names, pixels, height * width * channels)


def _folders_of_splits(folder: Path) -> dict[str, Path]:
    """The folders of the splits; one for all if the classes lie directly in the folder."""
    found: dict[str, list[Path]] = {"train": [], "validation": [], "test": []}
    for path in _folders_in(folder):
        split = SPLIT_NAMES.get(path.name.lower())
        if split is not None:
            found[split].append(path)
    if not any(_folders_in(path) for path in found["train"]):
        return {"train": folder}  # a class may be called "train"
    for paths in found.values():
        if len(paths) > 1:
            names = " and ".join(repr(path.name) for path in paths)
            raise ValueError(f"{str(folder)!r} has both {names}: keep one.")
    if not found["test"]:
        raise ValueError(
            f"{str(folder)!r} has a folder 'train' but no folder 'test'. Add one, or put the folders of the "
            "classes directly into it, to have images set aside for the test."
        )
    return {split: path for split, paths in found.items() for path in paths}


def _folders_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _index(folder: Path) -> tuple[list[str], tuple[str, ...]]:
    """The paths of the images, class by class, and the names of the classes, as Keras has them."""
    if not _folders_in(folder):
        raise ValueError(
            f"{str(folder)!r} has no folders. Images have to lie in one folder for each class, as in "
            f"{folder / 'cat' / '1.jpg'} and {folder / 'dog' / '1.jpg'}."
        )
    for path in _folders_in(folder):
        suffixes = Counter(
            file.suffix.lower() or "files without suffix" for file in path.rglob("*") if file.is_file()
        )
        if not set(suffixes) & set(SUFFIXES):
            found = f", only {some_of(sorted(suffixes))}" if suffixes else ""
            raise ValueError(
                f"The folder of a class, {str(path)!r}, holds no images ({', '.join(SUFFIXES)}){found}. Add "
                "some, or remove it."
            )
    dataset = keras.utils.image_dataset_from_directory(
        folder, shuffle=False, batch_size=None, image_size=(1, 1), verbose=False
    )
    return dataset.file_paths, tuple(dataset.class_names)


def _rows(
    paths: list[str],
    names: tuple[str, ...],
    class_names: tuple[str, ...],
    folder: Path,
    shape: tuple[int, int, int],
) -> Rows:
    strange = [name for name in names if name not in class_names]
    if strange:
        raise ValueError(
            f"{str(folder)!r} has folders of classes that there are no training images of: "
            f"{some_of(strange)}."
        )
    number = {name: index for index, name in enumerate(class_names)}
    labels = [number[Path(path).relative_to(folder).parts[0]] for path in paths]
    array = np.array(paths)
    return Rows(len(paths), lambda some: read_images(array[some], shape), np.array(labels, "int32"))


def read_images(paths: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Images as bytes, each resized as `image_dataset_from_directory` does.

    Args:
        paths: Their files.
        shape: Height, width and channels.

    Raises:
        ValueError: A file is no image; the message names it.
    """
    images, done = np.empty((len(paths), *shape), "uint8"), 0
    try:
        for image in _decoded(paths, shape):
            images[done] = image
            done += 1
    except tf.errors.OpError as error:
        raise ValueError(
            f"{str(paths[done])!r} cannot be read as an image: {_reason(error)}. Replace, convert or remove "
            "it."
        ) from None
    return images


def _reason(error: tf.errors.OpError) -> str:
    """What TensorFlow says, without the place in its pipeline."""
    return re.sub("^.*Iterator::[^ ]*: ", "", one_line(error)).rstrip(".")


def _decoded(paths: np.ndarray, shape: tuple[int, int, int]) -> tf.data.NumpyIterator:
    """The images in order."""

    def read(path: tf.Tensor) -> tf.Tensor:
        image = tf.io.decode_image(tf.io.read_file(path), channels=shape[2], expand_animations=False)
        return to_bytes(image, shape)

    dataset = tf.data.Dataset.from_tensor_slices(tf.constant(paths.tolist(), tf.string))
    return dataset.map(read, num_parallel_calls=tf.data.AUTOTUNE).as_numpy_iterator()


def to_bytes(image: tf.Tensor, shape: tuple[int, ...]) -> tf.Tensor:
    """An image of bytes in another size."""
    resized = tf.image.resize(image, shape[:2])
    return tf.cast(tf.round(resized), "uint8")
