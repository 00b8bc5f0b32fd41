"""A user's own arrays."""

import os
import zipfile
from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_kd.archives import DamagedArchive, read_arrays
from keras_kd.datasets.data import Data, calibration_rows, make_data
from keras_kd.datasets.splits import Split, class_numbers, split_off
from keras_kd.files import check_regular
from keras_kd.finite import nonfinite
from keras_kd.tensors import Tensor


class NotClasses(ValueError):
    """Labels that are not one class number per sample."""


def load(path: str | os.PathLike[str], *, batch_size: int = 64, name: str | None = None) -> Data:
    """Load your own arrays from a `.npz` file.

    Args:
        path: The file. Its keys are `x_train`, `y_train`, `x_test`, `y_test` and, if you have them, `x_val`
            and `y_val`. Without these, a tenth of the training rows is set aside.
        batch_size: Samples per batch.
        name: Its name in reports. Default: the name of the file.

    Returns:
        `Data` with the arrays as they are, except that float64 becomes float32.

    Raises:
        OSError: If there is no such file, or it is a folder, a pipe or a device.
        ValueError: If the file or its arrays cannot be used. The message says what is wrong.

    Examples:
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
    labels = class_numbers(train.y)
    assert labels is not None, "they were checked"
    classes = int(labels.max()) + 1
    for key, split in splits.items():
        check(split.x, split.y, classes=classes, what=key)
        if split.x.shape[1:] != train.x.shape[1:]:
            raise ValueError(
                f"{key}: inputs of shape {split.x.shape[1:]}, but those of train {train.x.shape[1:]}"
            )
        if (split.x.dtype.kind == "f") != (train.x.dtype.kind == "f"):
            raise ValueError(
                f"{key}: inputs of type {split.x.dtype}, but those of train {train.x.dtype}: scale both alike"
            )
    if "val" in splits:
        validation = splits["val"]
    elif len(train.x) == 1:
        raise ValueError(f"{path} has only one training row, so none can be set aside: add x_val and y_val")
    else:
        train, validation = split_off(train, max(1, len(train.x) // 10))
    return make_data(name or path.stem, classes, train, validation, splits["test"], batch_size)


def check(x: Tensor, y: Tensor, classes: int | None = None, what: str = "train") -> None:
    """Raise a one-line error if a model cannot be trained on inputs and labels.

    Args:
        x: Inputs, `(samples, ...)`.
        y: Integer labels, `(samples,)`.
        classes: The number of classes, which labels must be below. `None` sets no upper limit.
        what: The name of the arrays in the error.

    Raises:
        ValueError: If the arrays are empty, differ in length, have the wrong rank or type, contain NaN or
            infinity, or if a label is out of range.

    Examples:
        >>> check(np.zeros((4, 8)), np.array([0, 1, 2, 7]), classes=3)
        Traceback (most recent call last):
        ValueError: train: labels must be from 0 to 2, found 7 at row 3
    """
    x, y = np.asarray(x), np.asarray(y)
    _check_inputs(x, what)
    if y.ndim != 1:
        hint = "; turn one-hot labels into integers with y.argmax(-1)" if _are_one_hot(y) else ""
        raise NotClasses(f"{what}: labels must have the shape (samples,), got {y.shape}{hint}")
    if len(x) != len(y):
        raise ValueError(f"{what}: {len(x)} inputs but {len(y)} labels")
    if y.dtype.kind not in "iu":
        raise NotClasses(f"{what}: labels must be integers, got {y.dtype}")
    wrong = (y < 0) | (y >= (classes if classes is not None else np.inf))
    if wrong.any():
        row = int(wrong.argmax())
        limits = f"from 0 to {classes - 1}" if classes is not None else "at least 0"
        raise ValueError(f"{what}: labels must be {limits}, found {y[row]} at row {row}")


def _check_inputs(x: np.ndarray, what: str) -> None:
    if x.ndim < 2:
        raise ValueError(f"{what}: inputs must have the shape (samples, ...), got {x.shape}")
    if len(x) == 0:
        raise ValueError(f"{what}: there are no samples")
    if x.size == 0:
        raise ValueError(f"{what}: inputs of shape {x.shape[1:]} hold no values")
    if x.dtype.kind not in "fiub":
        raise ValueError(f"{what}: inputs must be numbers, got {x.dtype}")
    _check_finite(x, f"{what}: %d inputs")


def _check_finite(array: np.ndarray, what: str) -> None:
    bad = nonfinite(array).reshape(len(array), -1).any(axis=1)
    if bad.any():
        raise ValueError(f"{what % bad.sum()} hold NaN or infinity, the first at row {bad.argmax()}")


def _are_one_hot(y: np.ndarray) -> bool:
    return (
        y.ndim == 2
        and y.dtype.kind in "biuf"
        and bool(((y == 0) | (y == 1)).all() and (y.sum(-1) == 1).all())
    )


def load_test(path: str | os.PathLike[str], *, batch_size: int = 64) -> tf.data.Dataset:
    """The test split of a `.npz` file in batches, with labels of any kind in `y_test`, or none.

    Args:
        path: The file.
        batch_size: Samples per batch.

    Raises:
        OSError: As in `load`.
        ValueError: As in `load`.

    Examples:
        >>> np.savez("houses.npz", x_test=np.ones((3, 4), "float32"), y_test=[0.5, 1.5, 2.5])
        >>> [y.numpy().tolist() for x, y in load_test("houses.npz")]
        [[0.5, 1.5, 2.5]]
    """
    arrays = read_npz(Path(path))
    x, y = _array(arrays, "x_test", path), arrays.get("y_test")
    _check_inputs(x, "test")
    if y is not None:
        _check_labels(x, y)
    return tf.data.Dataset.from_tensor_slices(x if y is None else (x, y)).batch(batch_size)


def load_calibration(path: str | os.PathLike[str]) -> np.ndarray:
    """Those of the inputs in `x_train` of a `.npz` file that `load` takes for calibration; needs no labels.

    Args:
        path: The file.

    Raises:
        OSError: As in `load`.
        ValueError: As in `load`.

    Examples:
        >>> np.savez("houses.npz", x_train=np.ones((300, 4), "float32"))
        >>> load_calibration("houses.npz").shape
        (256, 4)
    """
    arrays = read_npz(Path(path))
    x, y = _array(arrays, "x_train", path), arrays.get("y_train", np.empty(0))
    _check_inputs(x, "train")
    are_classes = y.shape == (len(x),) and y.dtype.kind in "iu"
    train = Split(x, y if are_classes else np.zeros(len(x), "int32"))
    if "x_val" not in arrays and len(x) > 1:
        train, _ = split_off(train, max(1, len(x) // 10))
    return train.x[calibration_rows(train.y)]


def _check_labels(x: np.ndarray, y: np.ndarray) -> None:
    if y.dtype.kind not in "biuf":
        raise ValueError(f"test: labels must be numbers, got {y.dtype}")
    if y.shape[:1] != x.shape[:1]:
        raise ValueError(f"test: {len(x)} inputs but labels of shape {y.shape}")
    _check_finite(y, "test: %d labels")


def _array(arrays: dict[str, np.ndarray], name: str, path: str | os.PathLike[str]) -> np.ndarray:
    if name not in arrays:
        raise ValueError(f"{path} has no array {name}; it has {', '.join(sorted(arrays)) or 'none'}")
    return arrays[name]


def read_splits(path: Path) -> dict[str, Split]:
    """The splits of a `.npz` file, with `"val"` only if the file has one."""
    arrays = read_npz(path)
    keys = ["train", "test"] + ["val"] * ("x_val" in arrays or "y_val" in arrays)
    missing = [name for key in keys for name in (f"x_{key}", f"y_{key}") if name not in arrays]
    if missing:
        raise ValueError(
            f"{path} has no array {', '.join(missing)}; it has {', '.join(sorted(arrays)) or 'none'}"
        )
    return {key: Split(arrays[f"x_{key}"], arrays[f"y_{key}"]) for key in keys}


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """All arrays of a file, in types that TensorFlow has; float64 becomes float32. Nothing is unpickled."""
    check_regular(path, "a .npz file")
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path} is not a .npz file; write one with numpy.savez")
    try:
        arrays = read_arrays(path)
    except DamagedArchive as error:
        raise ValueError(
            f"{path} is not a .npz file of plain arrays: {error}. Copy it again, or write it with numpy.savez"
        ) from error
    return {key: _in_tensorflow(array) for key, array in arrays.items()}


def _in_tensorflow(array: np.ndarray) -> np.ndarray:
    """The array in the byte order of this machine; floats of more than 32 bits as float32."""
    if array.dtype.kind == "f" and array.dtype.itemsize > 4:
        with np.errstate(over="ignore"):  # what is too large becomes infinite, and is found with its row
            return array.astype("float32")
    return array.astype(array.dtype.newbyteorder("="), copy=False)
