"""A user's own arrays."""

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_kd.archives import DamagedArchive, read_arrays
from keras_kd.datasets.checks import NotClasses as NotClasses
from keras_kd.datasets.checks import check, check_inputs, check_labels
from keras_kd.datasets.data import Data, Pixels, calibration_rows, make_data
from keras_kd.datasets.labels import fit_labels
from keras_kd.datasets.model_shape import ModelShape
from keras_kd.datasets.rows import Found, Rows
from keras_kd.datasets.splits import Labels, Split, class_numbers, count, map_labels, split_off
from keras_kd.files import check_regular


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
    _check_alike(splits)
    train, validation = _validation(splits, path)
    return make_data(name or path.stem, classes, train, validation, splits["test"], batch_size)


def _check_alike(splits: Mapping[str, Split]) -> None:
    """Raise a `ValueError` for splits whose inputs differ in shape or kind from those of training."""
    train = splits["train"].x
    for key, (x, *_) in splits.items():
        if x.shape[1:] != train.shape[1:]:
            raise ValueError(f"{key}: inputs of shape {x.shape[1:]}, but those of train {train.shape[1:]}")
        if (x.dtype.kind == "f") != (train.dtype.kind == "f"):
            raise ValueError(
                f"{key}: inputs of type {x.dtype}, but those of train {train.dtype}: scale both alike"
            )


def _validation(splits: Mapping[str, Split], path: Path) -> tuple[Split, Split]:
    """The splits for training and validation; if the file has none, a tenth of the rows is set aside."""
    train = splits["train"]
    if "val" in splits:
        return train, splits["val"]
    if len(train.x) == 1:
        raise ValueError(f"{path} has only one training row, so none can be set aside: add x_val and y_val")
    return split_off(train, max(1, len(train.x) // 10))


def find_arrays(path: Path, model: ModelShape, pixels: Pixels | None) -> Found:
    """The arrays of a `.npz` file, with labels of any kind, for one or several outputs of a model.

    Args:
        path: The file.
        model: What the labels have to fit.
        pixels: The range that bytes are turned into, if they are.

    Raises:
        OSError: As in `load`.
        ValueError: As in `load`, or the labels do not fit the model.
    """
    found = read_splits(path)
    for key, split in found.items():
        check_inputs(split.x, key)
        if count(split.y) != len(split.x):
            raise ValueError(f"{key}: {len(split.x)} inputs but {count(split.y)} labels")
    _check_alike(found)
    x = found["train"].x
    if pixels is not None and x.dtype != np.uint8:
        raise ValueError(f"pixels= is for inputs that are bytes (uint8); those of {path} are {x.dtype}.")
    fitted = fit_labels({key: split.y for key, split in found.items()}, model)
    splits = {key: Split(split.x, fitted[key]) for key, split in found.items()}
    train, validation = _validation(splits, path)
    groups = {"train": train, "validation": validation, "test": splits["test"]}
    rows = {key: Rows(len(split.x), split.x.__getitem__, split.y) for key, split in groups.items()}
    text = f"arrays of {x.dtype} {'x'.join(map(str, x.shape[1:]))}"
    how = "split as given" if "val" in found else "validation set aside"
    return Found(rows, text, pixels=pixels, how=how)


def load_test(path: str | os.PathLike[str], *, batch_size: int = 64) -> tf.data.Dataset:
    """The test split of a `.npz` file in batches, with labels of any kind in `y_test`, or none.

    Labels in `y_test_NAME` are a dict by the name of the output.

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
    x, y = _rows(read_npz(Path(path)), "test", path)
    return tf.data.Dataset.from_tensor_slices(x if y is None else (x, y)).batch(batch_size)


def load_validation(path: str | os.PathLike[str]) -> tuple[Rows, str]:
    """The validation rows of a `.npz` file, with labels or without, and where they come from, in words."""
    arrays = read_npz(Path(path))
    if "x_val" in arrays:
        x, y = _rows(arrays, "val", path)
        return Rows(len(x), x.__getitem__, y), "x_val"
    x, y = _rows(arrays, "train", path)
    _, rest = _validation({"train": Split(x, np.zeros(len(x)) if y is None else y)}, Path(path))
    return Rows(len(rest.x), rest.x.__getitem__, None if y is None else rest.y), "set aside from x_train"


def load_training(path: str | os.PathLike[str]) -> Split:
    """The training inputs of a `.npz` file without those set aside; labels that are no class numbers are 0.

    Args:
        path: The file, which needs no labels.

    Raises:
        OSError: As in `load`.
        ValueError: As in `load`.
    """
    arrays = read_npz(Path(path))
    x, y = _array(arrays, "x_train", path), arrays.get("y_train", np.empty(0))
    check_inputs(x, "train")
    are_classes = y.shape == (len(x),) and y.dtype.kind in "iu"
    train = Split(x, y if are_classes else np.zeros(len(x), "int32"))
    if "x_val" not in arrays and len(x) > 1:
        train, _ = split_off(train, max(1, len(x) // 10))
    return train


def load_calibration(path: str | os.PathLike[str]) -> np.ndarray:
    """Those of the inputs of `load_training` that `load` takes for calibration.

    Examples:
        >>> np.savez("houses.npz", x_train=np.ones((300, 4), "float32"))
        >>> load_calibration("houses.npz").shape
        (256, 4)
    """
    train = load_training(path)
    return train.x[calibration_rows(train.y)]


def _rows(
    arrays: dict[str, np.ndarray], key: str, path: str | os.PathLike[str]
) -> tuple[np.ndarray, Labels | None]:
    x, y = _array(arrays, f"x_{key}", path), _labels(arrays, key, path)
    check_inputs(x, key)
    if y is not None:
        map_labels(lambda array: check_labels(x, array, key), y)
    return x, y


def _array(arrays: dict[str, np.ndarray], name: str, path: str | os.PathLike[str]) -> np.ndarray:
    if name not in arrays:
        raise ValueError(f"{path} has no array {name}; it has {', '.join(sorted(arrays)) or 'none'}")
    return arrays[name]


def read_splits(path: Path) -> dict[str, Split]:
    """The splits of a `.npz` file, with `"val"` only if the file has one."""
    arrays = read_npz(path)
    keys = ["train", "test"] + ["val"] * any(name.startswith(("x_val", "y_val")) for name in arrays)
    labels = {key: _labels(arrays, key, path) for key in keys}
    missing = [f"x_{key}" for key in keys if f"x_{key}" not in arrays]
    missing += [f"y_{key}" for key in keys if labels[key] is None]
    if missing:
        raise ValueError(
            f"{path} has no array {', '.join(missing)}; it has {', '.join(sorted(arrays)) or 'none'}"
        )
    return {key: Split(arrays[f"x_{key}"], y) for key, y in labels.items() if y is not None}


def _labels(arrays: dict[str, np.ndarray], key: str, path: str | os.PathLike[str]) -> Labels | None:
    """The labels of a split: one array, or one for each output by its name, or none."""
    one, prefix = f"y_{key}", f"y_{key}_"
    named = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
    if one in arrays and named:
        raise ValueError(
            f"{path} has {one} and {prefix}{next(iter(named))}: give one array of labels, or one for "
            "each output"
        )
    return arrays.get(one, named or None)


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
