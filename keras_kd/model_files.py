"""Keras models in files: the one place that loads them."""

import os
import re
import warnings
import zipfile
from pathlib import Path

import keras

from keras_kd.archives import DamagedArchive, check_archive
from keras_kd.locations import check_model
from keras_kd.messages import one_line

_HDF5 = b"\x89HDF\r\n\x1a\n"  # how its files begin
# What Keras says of a class or a function that is not its own, and was not registered.
_UNKNOWN = re.compile(r"Could not (?:locate|deserialize) (?:class|function) '([^']+)'|Unknown \w+: '([^']+)'")


def load_model(path: str | os.PathLike[str], *, compile: bool = True) -> keras.Model:
    """Load a model from a file of Keras without running any code that the file contains.

    Args:
        path: A `.keras`, `.h5` or `.hdf5` file, or the folder of a `.keras` file that was unpacked.
        compile: Whether to restore the optimizer and the losses that the model was compiled with.

    Raises:
        OSError: There is no such file, or it is a pipe or a device.
        ValueError: It is not a model of Keras, or Keras cannot load it. Layers of your own have to be
            registered, see `keras.saving.register_keras_serializable`. Lambdas of Python are refused.

    Examples:
        >>> keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)]).save("small.keras")
        >>> load_model("small.keras").count_params()
        9
    """
    path = check_model(path)
    _check_content(path)
    try:
        model = _load(path, compile)
    except Exception as error:  # of zipfile, json, HDF5 or Keras, wherever it notices that a file is damaged
        raise ValueError(f"{path} does not load: {_why(error)}") from error
    if not isinstance(model, keras.Model):
        raise ValueError(f"{path} does not load: it holds a {type(model).__name__}, which is not a model.")
    return model


def _load(path: Path, compile: bool) -> keras.Model:
    """The model; of HDF5, in which Keras 3 does not understand every loss, without the loss if need be."""
    try:
        return keras.saving.load_model(path, compile=compile, safe_mode=True)
    except Exception as error:
        if path.suffix == ".keras" or not compile:
            raise
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
        warnings.warn(
            f"{path} loads without the loss, metrics and optimizer of its training: {one_line(error)}",
            stacklevel=3,
        )
        return model


def _check_content(path: Path) -> None:
    """Raise a `ValueError` for what Keras takes for another format, or would read in part."""
    if path.is_dir():
        return
    if path.suffix != ".keras":
        with path.open("rb") as file:
            signature = file.read(len(_HDF5))
        if signature != _HDF5:
            raise ValueError(f"{path} does not load: it is not an HDF5 file, or an incomplete one.")
        return
    if not zipfile.is_zipfile(path):  # Keras says of these that they are not found
        raise ValueError(f"{path} does not load: it is not a .keras file, or an incomplete one.")
    try:
        check_archive(path)  # Keras reads parts of the file, and would return changed weights
    except DamagedArchive as error:
        raise ValueError(
            f"{path} does not load, it is damaged: {error}. Copy it or save it again."
        ) from error


def _why(error: Exception) -> str:
    """What went wrong, and what to do about it."""
    unknown = _UNKNOWN.search(str(error))
    if unknown is None:
        return one_line(error)
    name = unknown[1] or unknown[2]
    return (
        f"its layer or function {name!r} is not one of Keras. Register it with "
        "@keras.saving.register_keras_serializable() in a module, save the model again if it was saved "
        f"without, and import the module first: import MODULE."
    )
