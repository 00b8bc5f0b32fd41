"""Where models, files and reports lie: what can be said of a path before anything is loaded."""

import os
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from keras_kd.files import check_regular, check_writable
from keras_kd.headers import column_names, find_targets, missing_target
from keras_kd.messages import did_you_mean

DataKind: TypeAlias = Literal["arrays", "table", "folder", "tfds"]

MODEL_SUFFIXES = (".keras", ".h5", ".hdf5")
TABLE_SUFFIXES = (".csv", ".tsv", ".parquet")
DATA_SUFFIXES = (".npz", *TABLE_SUFFIXES)
TFDS = "tfds:"
RESIZED = ("folder", "tfds")  # kinds of data with images that get the size that a model takes
Pixels: TypeAlias = Literal["0..255", "0..1", "-1..1"]
PIXELS = get_args(Pixels)
REPORT_SUFFIXES = (".html", ".md", ".json")


def data_kind(source: str | os.PathLike[str]) -> DataKind | None:
    """What kind of data a text or path names; `None` if it names none.

    Examples:
        >>> data_kind("tfds:mnist"), data_kind("flowers.csv"), data_kind("student.keras")
        ('tfds', 'table', None)
    """
    text = os.fspath(source)
    if text.startswith(TFDS):
        return "tfds"
    suffix = Path(text).suffix.lower()
    if os.path.isdir(text):
        return "folder"
    return "arrays" if suffix == ".npz" else "table" if suffix in TABLE_SUFFIXES else None


def check_data(source: str | os.PathLike[str]) -> str:
    """The text that names data: an .npz file, a table, a folder of images, or `tfds:NAME`.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It has another suffix, or `tfds:` is followed by no name.
        OSError: It is a pipe, a socket or a device.

    Examples:
        >>> check_data("student.keras")
        Traceback (most recent call last):
        FileNotFoundError: There is no file or folder 'student.keras'.
    """
    text, kind = os.fspath(source), data_kind(source)
    path = Path(text)
    if kind is None:
        if not path.exists():
            others = [p.name for p in path.parent.glob("*") if data_kind(p) is not None]
            hint = did_you_mean(path.name, others) or f" Datasets are named as in {TFDS}mnist." * (
                ":" in text
            )
            raise FileNotFoundError(f"There is no file or folder {text!r}.{hint}")
        raise ValueError(
            f"Expected data: {', '.join(DATA_SUFFIXES)}, a folder of images, or tfds:NAME. "
            f"Received: {text!r}."
        )
    if kind in ("arrays", "table"):
        _check_there(path, f"a {path.suffix.lower()} file", DATA_SUFFIXES)
    if text == TFDS:
        raise ValueError("The name of a dataset has to follow, as in tfds:mnist. Received: 'tfds:'.")
    return text


def check_reading(
    source: str,
    *,
    target: str | None,
    pixels: str,
    image_size: tuple[int, int] | None,
    needs_target: bool = False,
) -> None:
    """Raise an error for an argument that is for another kind of data; `open_data` explains them.

    Args:
        source: The data.
        target: The columns of labels in a table.
        pixels: The range of pixels.
        image_size: Height and width of images.
        needs_target: Whether a table has to have columns of labels.

    Raises:
        ValueError: The argument, what it is for and what it was given with; a table without the target that
            it needs, or without a column of that name.

    Examples:
        >>> check_reading("pets.npz", target="kind", pixels="0..255", image_size=None)
        Traceback (most recent call last):
        ValueError: target= is for tables. Received: 'kind' for 'pets.npz'.
    """
    kind = data_kind(source)
    if pixels not in PIXELS:
        hint = did_you_mean(pixels, PIXELS)
        raise ValueError(f"pixels= is one of {', '.join(PIXELS)}. Received: {pixels!r}.{hint}")
    if pixels != PIXELS[0] and kind == "table":
        raise ValueError(f"pixels= is for images. Received: {pixels!r} for {source!r}.")
    if target is not None and kind != "table":
        raise ValueError(f"target= is for tables. Received: {target!r} for {source!r}.")
    names = column_names(Path(source)) if kind == "table" and (needs_target or target is not None) else []
    if names and target is not None:
        find_targets(source, names, target)
    elif names:
        raise ValueError(missing_target(source, names))
    if image_size is not None and kind not in RESIZED:
        raise ValueError(f"image_size= is for images that are resized, which {source!r} does not hold.")


def is_keras_model(path: str | os.PathLike[str]) -> bool:
    """Whether a path names a model of Keras, by its suffix or by what the folder holds.

    Examples:
        >>> is_keras_model("teacher.keras"), is_keras_model("teacher.onnx")
        (True, False)
    """
    path = Path(path)
    return path.suffix in MODEL_SUFFIXES or (path / "config.json").exists()


def check_model(path: str | os.PathLike[str]) -> Path:
    """The path of a Keras model.

    Args:
        path: A file, or a folder with the parts of one.

    Raises:
        FileNotFoundError: There is none.
        ValueError: It has another suffix, or is a TensorFlow SavedModel, which Keras 3 does not load.
        OSError: It is a pipe, a socket or a device.

    Examples:
        >>> check_model("student.tflite")
        Traceback (most recent call last):
        ValueError: Expected a Keras model (.keras, .h5 or .hdf5). Received: 'student.tflite'.
    """
    path = Path(path)
    if (path / "saved_model.pb").exists():
        raise ValueError(
            f"{str(path)!r} is a TensorFlow SavedModel, which Keras 3 does not load. If tf_keras saved it, "
            "load it there, and pass the model or a copy of it: kd.tfmot.from_tf_keras(tf_keras.models.load_"
            "model(...)).save('NAME.keras')."
        )
    if path.is_dir() and (path / "config.json").exists():
        return path
    if path.suffix not in MODEL_SUFFIXES and not path.is_dir():
        save = "" if path.suffix in (".tflite", ".onnx") else " Save it with model.save('NAME.keras')."
        raise ValueError(f"Expected a Keras model (.keras, .h5 or .hdf5). Received: {str(path)!r}.{save}")
    _check_there(path, f"a {path.suffix or '.keras'} file", MODEL_SUFFIXES)
    return path


def check_lite_file(path: str | os.PathLike[str]) -> Path:
    """The path of a `.tflite` file.

    Raises:
        FileNotFoundError: There is none.
        ValueError: It is the file of a Keras model.
        OSError: It is a folder, a pipe, a socket or a device.
    """
    path = Path(path)
    if path.suffix in MODEL_SUFFIXES:
        raise ValueError(f"Expected a .tflite file. Received: {str(path)!r}, a Keras model: export it first.")
    _check_there(path, "a .tflite file", (".tflite",))
    return path


def check_onnx_file(path: str | os.PathLike[str]) -> Path:
    """The path of an `.onnx` file.

    Raises:
        FileNotFoundError: There is none.
        OSError: It is a folder, a pipe, a socket or a device.
    """
    path = Path(path)
    _check_there(path, "an .onnx file", (".onnx",))
    return path


def check_teacher(path: str | os.PathLike[str]) -> Path:
    """The path of a teacher: a Keras model, a SavedModel, a `.tflite` or an `.onnx` file.

    Raises:
        FileNotFoundError: There is none.
        ValueError: It has another suffix.
        OSError: It is a pipe, a socket or a device, or a folder of something else.

    Examples:
        >>> check_teacher("big.pt")
        Traceback (most recent call last):
        ValueError: Expected .keras, .h5, .hdf5, .tflite, .onnx or a SavedModel. Received: 'big.pt'.
    """
    path = Path(path)
    if (path / "saved_model.pb").exists():
        return path
    if path.suffix.lower() == ".tflite":
        return check_lite_file(path)
    if path.suffix.lower() == ".onnx":
        return check_onnx_file(path)
    if path.is_dir() and not (path / "config.json").exists():
        raise IsADirectoryError(
            f"Expected a teacher; {str(path)!r} is a folder that holds neither a SavedModel (saved_model.pb) "
            "nor a Keras model (config.json)."
        )
    if path.suffix.lower() not in MODEL_SUFFIXES and not path.is_dir():
        kinds = f"{', '.join(MODEL_SUFFIXES)}, .tflite, .onnx or a SavedModel"
        raise ValueError(f"Expected {kinds}. Received: {str(path)!r}.")
    return check_model(path)


def _check_there(path: Path, expected: str, suffixes: tuple[str, ...]) -> None:
    try:
        check_regular(path, expected)
    except FileNotFoundError as error:
        others = [name.name for name in path.parent.glob("*") if name.suffix.lower() in suffixes]
        raise FileNotFoundError(f"{error}{did_you_mean(path.name, others)}") from None


def check_lite_target(path: str | os.PathLike[str], *, overwrite: bool) -> Path:
    """The path where a `.tflite` file is going to be written.

    Raises:
        ValueError: Another suffix.
        OSError: As `check_writable` of `keras_kd.files`.
    """
    path = Path(path)
    check_writable(path, overwrite=overwrite, suffixes=(".tflite",))
    return path


def check_report_target(path: str | os.PathLike[str], *, overwrite: bool) -> Path:
    """The path where a report is going to be saved; its suffix may be in any case.

    Raises:
        ValueError: Another suffix than those of reports.
        OSError: As `check_writable` of `keras_kd.files`.
    """
    path = Path(path)
    suffixes = (path.suffix,) if path.suffix.lower() in REPORT_SUFFIXES else REPORT_SUFFIXES
    check_writable(path, overwrite=overwrite, suffixes=suffixes)
    return path
