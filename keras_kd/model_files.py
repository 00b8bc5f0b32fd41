"""Keras models in files: the one place that loads them."""

import json
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
        raise ValueError(f"{path} does not load: {_why(path, error)}") from error
    if not isinstance(model, keras.Model):
        raise ValueError(f"{path} does not load: it holds a {type(model).__name__}, which is not a model.")
    return model


def _load(path: Path, compile: bool) -> keras.Model:
    """The model; of HDF5, in which Keras 3 does not understand every loss, without the loss if need be."""
    try:
        with warnings.catch_warnings():
            # Of a model that was compiled and not trained. What the package measures needs no optimizer.
            warnings.filterwarnings("ignore", "Skipping variable loading for optimizer")
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


def _why(path: Path, error: Exception) -> str:
    """What went wrong, and what to do about it."""
    if "Python lambda" in str(error):
        names = _lambdas(path)
        which = f"its Lambda {', '.join(map(repr, names))}" if names else "one of its Lambda layers"
        return (
            f"{which} holds code of Python, which is not run. Replace it by a layer of your own, registered "
            "with @keras.saving.register_keras_serializable(), and save the model again."
        )
    unknown = _UNKNOWN.search(str(error))
    if unknown is None:
        return one_line(error)
    name = unknown[1] or unknown[2]
    return (
        f"its layer or function {name!r} is not one of Keras. Register it with "
        "@keras.saving.register_keras_serializable() in a module, save the model again if it was saved "
        f"without, and import the module first: import MODULE."
    )


def _lambdas(path: Path) -> list[str]:
    """The names of the Lambda layers with code of Python, as far as the configuration in a file tells."""
    names: list[str] = []

    def look(part: dict[str, object]) -> dict[str, object]:
        config = part.get("config")
        if part.get("class_name") == "Lambda" and isinstance(config, dict):
            function = config.get("function")
            kind = function.get("class_name") if isinstance(function, dict) else None
            if kind == "__lambda__" or config.get("function_type") == "lambda":  # of Keras 3, and earlier
                names.append(str(config.get("name")))
        return part

    json.loads(_configuration(path), object_hook=look)
    return names


def _configuration(path: Path) -> str | bytes:
    """The configuration of a model, as JSON; Keras has read it before."""
    if path.is_dir():
        return (path / "config.json").read_bytes()
    if path.suffix == ".keras":
        with zipfile.ZipFile(path) as archive:
            return archive.read("config.json")
    import h5py  # comes with Keras

    with h5py.File(path) as file:
        return str(file.attrs["model_config"])
