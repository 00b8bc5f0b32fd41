"""Real data for the demo, the examples and the benchmarks, and a reader for your own.

>>> from keras_kd import datasets
>>> print(datasets.digits())
digits: inputs 8x8x1, 10 classes, 1257 train, 180 validation, 360 test
"""

import contextlib
import dataclasses
import io
import os
import struct
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

__all__ = ["Data", "Split", "check", "digits", "fashion_mnist", "load"]

SPLIT_SEED = 20_260  # the splits never depend on the seed of a training run
CALIBRATION_SAMPLES = 256
FASHION_FOLDER = "/usr/share/datasets/fashion-mnist"  # of Debian's package dataset-fashion-mnist
# The modification times inside the original .gz files; Debian's package has zeros there.
FASHION_FILES = {
    "train-images-idx3-ubyte": 1504176606,
    "train-labels-idx1-ubyte": 1504176606,
    "t10k-images-idx3-ubyte": 1504176627,
    "t10k-labels-idx1-ubyte": 1504176627,
}


class Split(NamedTuple):
    """The arrays of one split.

    Args:
        x: Inputs, `(samples, ...)`.
        y: Integer labels, `(samples,)`.
        weight: Sample weights, `(samples,)`, or `None` for ones.

    Example:
        >>> x, y, weight = digits().arrays["test"]
        >>> x.shape, y.shape, weight
        ((360, 8, 8, 1), (360,), None)
    """

    x: np.ndarray
    y: np.ndarray
    weight: np.ndarray | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Data:
    """A data set that is split, and ready for `fit`.

    `train`, `validation`, `test` and `calibration` are batched `tf.data` sets of `(x, y)`, or of
    `(x, y, weight)` where a split has weights. `train` is shuffled anew in every epoch, in an order that
    depends on `keras.utils.set_random_seed` alone. Each access starts that order from its beginning, so two
    students that ask for `train` see the same batches. The others keep the order of the arrays.

    Args:
        name: What reports call it.
        classes: Number of classes. Labels run from 0 to `classes - 1`.
        arrays: The splits `"train"`, `"validation"`, `"test"` and `"calibration"`. The last is a part of the
            training inputs, for quantization.
        batch_size: Samples a batch.
        steps: Batches in an epoch of `train`, which is then repeated to fill them. `None` is one pass.

    Example:
        >>> data = digits(batch_size=16)
        >>> x, y = next(iter(data.train))
        >>> tuple(x.shape), tuple(y.shape)
        ((16, 8, 8, 1), (16,))
        >>> data.arrays["test"].x.shape
        (360, 8, 8, 1)
    """

    name: str
    classes: int
    arrays: Mapping[str, Split]
    batch_size: int = 64
    steps: int | None = None

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {self.batch_size}")

    def __str__(self) -> str:
        shape = "x".join(map(str, self.input_shape))
        sizes = ", ".join(f"{len(self.arrays[name].x)} {name}" for name in ("train", "validation", "test"))
        return f"{self.name}: inputs {shape}, {self.classes} classes, {sizes}"

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one input, without the batch."""
        return self.arrays["train"].x.shape[1:]

    @property
    def train(self) -> tf.data.Dataset:
        """Training batches, shuffled anew in every epoch."""
        rows = self._rows("train").shuffle(len(self.arrays["train"].x), seed=SPLIT_SEED)
        if self.steps is None:
            return rows.batch(self.batch_size).prefetch(2)
        return rows.repeat().batch(self.batch_size).take(self.steps).prefetch(2)

    @property
    def validation(self) -> tf.data.Dataset:
        """Validation batches: for looking at curves, never trained on."""
        return self._rows("validation").batch(self.batch_size).prefetch(2)

    @property
    def test(self) -> tf.data.Dataset:
        """Test batches: for the final figures only."""
        return self._rows("test").batch(self.batch_size).prefetch(2)

    @property
    def calibration(self) -> tf.data.Dataset:
        """Batches of training inputs for `kd.export(..., calibration=...)`."""
        return self._rows("calibration").batch(self.batch_size).prefetch(2)

    def labelled_only(self, labels: int, seed: int = 0) -> "Data":
        """The same data with only `labels` of its training rows, as many of each class as possible.

        An epoch keeps its number of steps: the few rows are repeated, so that a student trained on them
        alone takes as many steps as one that sees every input.

        Args:
            labels: How many training rows to keep, from `classes` to all of them.
            seed: Chooses the rows. `partly_labelled` with the same seed chooses the same ones.

        Raises:
            ValueError: If there are fewer labels than classes, or more than training rows.

        Example:
            >>> few = digits().labelled_only(100)
            >>> len(few.arrays["train"].x), np.bincount(few.arrays["train"].y).tolist()
            (100, [10, 10, 10, 10, 10, 10, 10, 10, 10, 10])
        """
        train = self.arrays["train"]
        rows = self._labelled_rows(labels, seed)
        steps = self.steps or -(-len(train.x) // self.batch_size)
        return self._with_train(Split(train.x[rows], train.y[rows]), steps, labels)

    def partly_labelled(self, labels: int, seed: int = 0) -> "Data":
        """The same data with all its training inputs, of which only `labels` keep their label.

        A labelled row weighs `rows / labels` and any other 0, so that the weights have mean 1 and the mean of
        a batch estimates the mean over the labelled rows. The labels that were taken away read 0.

        Args:
            labels: How many training rows keep their label, from `classes` to all of them.
            seed: Chooses the rows. `labelled_only` with the same seed chooses the same ones.

        Raises:
            ValueError: If there are fewer labels than classes, or more than training rows.

        Example:
            >>> x, y, weight = digits().partly_labelled(100).arrays["train"]
            >>> len(x), int((weight > 0).sum()), round(float(weight.mean()), 3)
            (1257, 100, 1.0)
        """
        train = self.arrays["train"]
        rows = self._labelled_rows(labels, seed)
        y = np.zeros_like(train.y)
        y[rows] = train.y[rows]
        weight = np.zeros(len(y), "float32")
        weight[rows] = len(y) / labels
        return self._with_train(Split(train.x, y, weight), self.steps, labels)

    def _labelled_rows(self, labels: int, seed: int) -> np.ndarray:
        y = self.arrays["train"].y
        if not self.classes <= labels <= len(y):
            raise ValueError(
                f"labels must be from {self.classes} (one a class) to {len(y)} (every row), got {labels}"
            )
        return choose(y, labels, seed, balanced=True)

    def _with_train(self, train: Split, steps: int | None, labels: int) -> "Data":
        name = f"{self.name}, {labels} labels"
        return dataclasses.replace(self, name=name, arrays={**self.arrays, "train": train}, steps=steps)

    def _rows(self, split: str) -> tf.data.Dataset:
        return tf.data.Dataset.from_tensor_slices(
            tuple(part for part in self.arrays[split] if part is not None)
        )


def digits(*, batch_size: int = 32) -> Data:
    """1,797 handwritten digits, 8x8 pixels, from scikit-learn: nothing is downloaded.

    Args:
        batch_size: Samples a batch.

    Returns:
        `Data` with float32 images in [0, 1], channels last.

    Example:
        >>> data = digits()
        >>> data.input_shape, data.classes
        ((8, 8, 1), 10)
    """
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    everything = Split((x / 16).astype("float32").reshape(-1, 8, 8, 1), y.astype("int32"))
    rest, test = cut(everything, 360)
    train, validation = cut(rest, 180)
    return assemble("digits", 10, train, validation, test, batch_size)


def fashion_mnist(
    *,
    batch_size: int = 128,
    source: str | os.PathLike[str] | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    progress: Callable[[str], None] | None = None,
) -> Data:
    """70,000 pictures of clothes, 28x28 pixels, through tensorflow-datasets.

    The first call prepares the data set, which takes up to a minute. The four original files are read from
    `source`, else from where Debian's package `dataset-fashion-mnist` puts them; only if they are not there
    does tensorflow-datasets download them.

    Args:
        batch_size: Samples a batch.
        source: Folder of the four `.gz` files. Default: the environment variable `KERAS_KD_FASHION_MNIST`,
            else `/usr/share/datasets/fashion-mnist`.
        data_dir: Where tensorflow-datasets keeps prepared data. Default: its own, `~/tensorflow_datasets`.
        progress: Called with a line of text before slow work. Default: write it to standard error.

    Returns:
        `Data` with float32 images in [0, 1], channels last: 55,000 train, 5,000 validation, 10,000 test.

    Raises:
        FileNotFoundError: If `source` or the environment variable names a folder without the files.
        OSError: If there are neither files nor a download.

    Example:
        >>> data = fashion_mnist()  # doctest: +SKIP
        >>> data.input_shape  # doctest: +SKIP
        (28, 28, 1)
    """
    import tensorflow_datasets as tfds

    builder = tfds.builder("fashion_mnist", data_dir=data_dir)
    if not builder.data_path.exists():
        prepare(builder, fashion_folder(source), progress or (lambda line: print(line, file=sys.stderr)))
    # Files in their order: the same rows in every process.
    read = tfds.ReadConfig(interleave_cycle_length=1)
    known, test = (
        to_split(builder.as_dataset(split=name, batch_size=-1, shuffle_files=False, read_config=read))
        for name in ("train", "test")
    )
    train, validation = cut(known, 5_000)
    return assemble("fashion_mnist", 10, train, validation, test, batch_size)


def load(path: str | os.PathLike[str], *, batch_size: int = 64, name: str | None = None) -> Data:
    """Your own arrays, from a `.npz` file.

    Args:
        path: The file. Its keys are `x_train`, `y_train`, `x_test`, `y_test` and, if you have them, `x_val`
            and `y_val`. Without these, a tenth of the training rows is set aside.
        batch_size: Samples a batch.
        name: What reports call it. Default: the name of the file.

    Returns:
        `Data` with the arrays as they are; only float64 becomes float32.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file or its arrays cannot be used. The message says what is wrong.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> x, y = rng.random((50, 4), "float32"), np.arange(50) % 2
        >>> np.savez("mine.npz", x_train=x, y_train=y, x_test=x[:10], y_test=y[:10])
        >>> print(load("mine.npz"))
        mine: inputs 4, 2 classes, 45 train, 5 validation, 10 test
    """
    path = Path(path)
    splits = read_splits(path)
    train = splits["train"]
    check(train.x, train.y, what="train")
    classes = int(train.y.max()) + 1
    for key, split in splits.items():
        check(split.x, split.y, classes=classes, what=key)
        if split.x.shape[1:] != train.x.shape[1:]:
            raise ValueError(
                f"{key}: inputs of shape {split.x.shape[1:]}, but those of train {train.x.shape[1:]}"
            )
    if "val" in splits:
        validation = splits["val"]
    elif len(train.x) == 1:
        raise ValueError(f"{path} has one training row, so none can be set aside: add x_val and y_val")
    else:
        train, validation = cut(train, max(1, len(train.x) // 10))
    return assemble(name or path.stem, classes, train, validation, splits["test"], batch_size)


def check(x: Any, y: Any, classes: int | None = None, what: str = "train") -> None:
    """Raise a one-line error if inputs and labels cannot be trained on.

    Args:
        x: Inputs, `(samples, ...)`.
        y: Integer labels, `(samples,)`.
        classes: Labels must be below it. `None` leaves the upper end open.
        what: What the error calls the arrays.

    Raises:
        ValueError: If the arrays are empty, differ in length, have the wrong rank or type, hold NaN or
            infinity, or if a label is out of range.

    Example:
        >>> check(np.zeros((4, 8)), np.array([0, 1, 2, 7]), classes=3)
        Traceback (most recent call last):
        ValueError: train: labels must be from 0 to 2, found 7 at row 3
    """
    x, y = np.asarray(x), np.asarray(y)
    if x.ndim < 2:
        raise ValueError(f"{what}: inputs must have the shape (samples, ...), got {x.shape}")
    if len(x) == 0:
        raise ValueError(f"{what}: there are no samples")
    if y.ndim != 1:
        hint = "; turn one-hot labels into integers with y.argmax(-1)" if y.ndim == 2 else ""
        raise ValueError(f"{what}: labels must have the shape (samples,), got {y.shape}{hint}")
    if len(x) != len(y):
        raise ValueError(f"{what}: {len(x)} inputs but {len(y)} labels")
    if x.dtype.kind not in "fiub":
        raise ValueError(f"{what}: inputs must be numbers, got {x.dtype}")
    if y.dtype.kind not in "iu":
        raise ValueError(f"{what}: labels must be integers, got {y.dtype}")
    finite = np.isfinite(x).reshape(len(x), -1).all(axis=1)
    if not finite.all():
        raise ValueError(
            f"{what}: {(~finite).sum()} inputs hold NaN or infinity, the first at row {finite.argmin()}"
        )
    wrong = (y < 0) | (y >= (classes if classes is not None else np.inf))
    if wrong.any():
        row = int(wrong.argmax())
        limits = f"from 0 to {classes - 1}" if classes is not None else "at least 0"
        raise ValueError(f"{what}: labels must be {limits}, found {y[row]} at row {row}")


def choose(y: np.ndarray, size: int, seed: int, balanced: bool = False) -> np.ndarray:
    """`size` rows: each class in proportion, or as many of each class as possible."""
    order = np.random.default_rng(seed).permutation(len(y))
    place = np.empty(len(y))
    for label in np.unique(y):
        rows = order[y[order] == label]
        place[rows] = np.arange(len(rows)) / (1 if balanced else len(rows))
    return order[np.argsort(place[order], kind="stable")[:size]]


def cut(split: Split, size: int) -> tuple[Split, Split]:
    """The rest, and `size` rows that hold every class in proportion."""
    rows = choose(split.y, size, SPLIT_SEED)
    rest = np.setdiff1d(np.arange(len(split.y)), rows)
    return Split(split.x[rest], split.y[rest]), Split(split.x[rows], split.y[rows])


def assemble(name: str, classes: int, train: Split, validation: Split, test: Split, batch_size: int) -> Data:
    """`Data` with a calibration split taken from the training rows."""
    rows = choose(train.y, CALIBRATION_SAMPLES, SPLIT_SEED)
    calibration = Split(train.x[rows], train.y[rows])
    arrays = {"train": train, "validation": validation, "test": test, "calibration": calibration}
    return Data(name, classes, arrays, batch_size)


def read_splits(path: Path) -> dict[str, Split]:
    """The splits of a `.npz` file, `"val"` only if it has one."""
    arrays = read_npz(path)
    keys = ["train", "test"] + ["val"] * ("x_val" in arrays or "y_val" in arrays)
    missing = [name for key in keys for name in (f"x_{key}", f"y_{key}") if name not in arrays]
    if missing:
        raise ValueError(
            f"{path} has no array {', '.join(missing)}; it has {', '.join(sorted(arrays)) or 'none'}"
        )
    return {key: Split(arrays[f"x_{key}"], arrays[f"y_{key}"]) for key in keys}


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """All arrays of a file; float64 becomes float32. Nothing is unpickled."""
    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path} is not a .npz file; write one with numpy.savez")
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} cannot be read as plain arrays: {error}") from error
    if not all(isinstance(array, np.ndarray) for array in arrays.values()):
        raise ValueError(f"{path} is not a .npz file; write one with numpy.savez")
    return {key: a.astype("float32") if a.dtype == "float64" else a for key, a in arrays.items()}


def fashion_folder(source: str | os.PathLike[str] | None) -> Path | None:
    """The folder of the four files, or `None` if they have to be downloaded."""
    asked = source or os.environ.get("KERAS_KD_FASHION_MNIST")
    folder = Path(asked or FASHION_FOLDER)
    missing = [f"{name}.gz" for name in FASHION_FILES if not (folder / f"{name}.gz").is_file()]
    if asked and missing:
        raise FileNotFoundError(f"{folder} does not hold {', '.join(missing)} of Fashion-MNIST")
    return None if missing else folder


def prepare(builder: Any, folder: Path | None, progress: Callable[[str], None]) -> None:
    """Let tensorflow-datasets write its records, from `folder` if there is one."""
    import tensorflow_datasets as tfds

    tfds.disable_progress_bar()
    origin = f"from {folder}" if folder else "by a download of 30 MB"
    progress(f"Preparing Fashion-MNIST {origin}: up to a minute, only this once")
    with tempfile.TemporaryDirectory() as manual:
        if folder:
            for name in FASHION_FILES:
                (Path(manual) / f"{name}.gz").write_bytes(original_bytes(folder, name))
        config = tfds.download.DownloadConfig(manual_dir=manual if folder else None)
        try:
            # It prints two lines about unknown sizes; standard output belongs to our caller.
            with contextlib.redirect_stdout(io.StringIO()):
                builder.download_and_prepare(download_config=config)
        except Exception as error:  # whatever failed, the way out is the same
            raise OSError(
                f"Fashion-MNIST could not be prepared {origin} ({type(error).__name__}: {error}). "
                "Install the Debian package dataset-fashion-mnist, or set KERAS_KD_FASHION_MNIST "
                "to a folder with its four .gz files."
            ) from error


def original_bytes(folder: Path, name: str) -> bytes:
    """A .gz file as it was published.

    Debian strips name and time from the header, and tensorflow-datasets compares checksums of the whole file.
    """
    raw = (folder / f"{name}.gz").read_bytes()
    if raw[3] != 0:  # the header has a name: nothing was stripped
        return raw
    stamp = struct.pack("<I", FASHION_FILES[name])
    return b"\x1f\x8b\x08\x08" + stamp + raw[8:10] + name.encode() + b"\0" + raw[10:]


def to_split(rows: Any) -> Split:
    """Images in [0, 1] and labels, from one batch of tensorflow-datasets that holds everything."""
    return Split(rows["image"].numpy().astype("float32") / 255, rows["label"].numpy().astype("int32"))
