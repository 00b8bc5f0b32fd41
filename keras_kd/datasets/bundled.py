"""Datasets that come with a dependency or with a system package."""

import os
import struct
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import tensorflow as tf

from keras_kd.datasets.catalog import read_split
from keras_kd.datasets.data import Data, make_data
from keras_kd.datasets.downloads import prepare
from keras_kd.datasets.splits import Split, split_off

if TYPE_CHECKING:
    from tensorflow_datasets.core import DatasetBuilder

FASHION_FOLDER = "/usr/share/datasets/fashion-mnist"  # of Debian's package dataset-fashion-mnist
# The modification times inside the original .gz files; Debian's package has zeros there.
FASHION_FILES = {
    "train-images-idx3-ubyte": 1504176606,
    "train-labels-idx1-ubyte": 1504176606,
    "t10k-images-idx3-ubyte": 1504176627,
    "t10k-labels-idx1-ubyte": 1504176627,
}


def digits(*, batch_size: int = 32) -> Data:
    """1,797 handwritten digits, 8x8 pixels, from scikit-learn: nothing is downloaded.

    Args:
        batch_size: Samples per batch.

    Returns:
        `Data` with float32 images in [0, 1], channels last.

    Examples:
        >>> data = digits()
        >>> data.input_shape, data.classes
        ((8, 8, 1), 10)
    """
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    everything = Split((x / 16).astype("float32").reshape(-1, 8, 8, 1), y.astype("int32"))
    remaining, test = split_off(everything, 360)
    train, validation = split_off(remaining, 180)
    return make_data("digits", 10, train, validation, test, batch_size)


def fashion_mnist(
    *,
    batch_size: int = 128,
    source: str | os.PathLike[str] | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    progress: Callable[[str], None] | None = None,
) -> Data:
    """70,000 pictures of clothes, 28x28 pixels, through tensorflow-datasets.

    The first call prepares the dataset, which takes up to a minute. The four original files are read from
    `source`, or from where the Debian package `dataset-fashion-mnist` installs them; tensorflow-datasets
    downloads them only if they are not there.

    Args:
        batch_size: Samples per batch.
        source: Folder with the four `.gz` files. Default: the environment variable `KERAS_KD_FASHION_MNIST`,
            otherwise `/usr/share/datasets/fashion-mnist`.
        data_dir: Where tensorflow-datasets keeps prepared data. Default: its own, `~/tensorflow_datasets`.
        progress: Called with a line of text before slow work. Default: writes it to standard error.

    Returns:
        `Data` with float32 images in [0, 1], channels last: 55,000 train, 5,000 validation, 10,000 test.

    Raises:
        FileNotFoundError: If `source` or the environment variable names a folder without the files.
        OSError: If there are no files and the download fails.

    Examples:
        >>> data = fashion_mnist()  # doctest: +SKIP
        >>> data.input_shape  # doctest: +SKIP
        (28, 28, 1)
    """
    import tensorflow_datasets as tfds

    builder = tfds.builder("fashion_mnist", data_dir=data_dir)
    if not builder.data_path.exists():
        prepare_fashion(
            builder, fashion_folder(source), progress or (lambda line: print(line, file=sys.stderr))
        )
    known, test = (to_split(read_split(builder, name)) for name in ("train", "test"))
    train, validation = split_off(known, 5_000)
    return make_data("fashion_mnist", 10, train, validation, test, batch_size)


def fashion_folder(source: str | os.PathLike[str] | None) -> Path | None:
    """The folder with the four files, or `None` if they must be downloaded."""
    requested = source or os.environ.get("KERAS_KD_FASHION_MNIST")
    folder = Path(requested or FASHION_FOLDER)
    missing = [f"{name}.gz" for name in FASHION_FILES if not (folder / f"{name}.gz").is_file()]
    if requested and missing:
        raise FileNotFoundError(f"{folder} does not hold {', '.join(missing)} of Fashion-MNIST")
    return None if missing else folder


def prepare_fashion(builder: "DatasetBuilder", folder: Path | None, progress: Callable[[str], None]) -> None:
    """Make tensorflow-datasets write its records, from `folder` if there is one."""
    with tempfile.TemporaryDirectory() as manual:
        for name in FASHION_FILES if folder else ():
            (Path(manual) / f"{name}.gz").write_bytes(original_bytes(folder or Path(), name))
        prepare(
            builder,
            progress,
            title="Fashion-MNIST",
            origin=f"from {folder}" if folder else "by downloading 30 MB",
            duration="up to a minute",
            remedy="Install the Debian package dataset-fashion-mnist, or set KERAS_KD_FASHION_MNIST to a "
            "folder with its four .gz files.",
            manual=Path(manual) if folder else None,
        )


def original_bytes(folder: Path, name: str) -> bytes:
    """A .gz file as originally published.

    Debian strips name and time from the header, but tensorflow-datasets verifies the whole file's checksum.
    """
    raw = (folder / f"{name}.gz").read_bytes()
    if raw[3] != 0:  # the header has a name: it was not stripped
        return raw
    stamp = struct.pack("<I", FASHION_FILES[name])
    return b"\x1f\x8b\x08\x08" + stamp + raw[8:10] + name.encode() + b"\0" + raw[10:]


def to_split(rows: tf.data.Dataset) -> Split:
    """Images in [0, 1] and labels."""
    images, labels = rows.batch(100_000).get_single_element()
    return Split(images.numpy().astype("float32") / 255, labels.numpy().astype("int32"))
