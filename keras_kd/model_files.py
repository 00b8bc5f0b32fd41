"""Keras models in `.keras` files: the one place that loads them."""

import os
import zipfile
from pathlib import Path

import keras

from keras_kd.archives import DamagedArchive, check_archive
from keras_kd.files import check_regular
from keras_kd.messages import one_line


def load_model(path: str | os.PathLike[str], *, compile: bool = True) -> keras.Model:
    """Load a model from a `.keras` file without running any code contained in the file.

    Args:
        path: The file.
        compile: Whether to restore the optimizer and the losses that the model was compiled with.

    Raises:
        OSError: There is no such file, or it is a folder, a pipe or a device.
        ValueError: It is not a `.keras` file, or Keras cannot load it.

    Examples:
        >>> keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)]).save("small.keras")
        >>> load_model("small.keras").count_params()
        9
    """
    path = Path(path)
    if path.suffix != ".keras":
        raise ValueError(
            f"Expected a .keras file. Received: {path}. Save the model with model.save('NAME.keras')."
        )
    check_regular(path, "a .keras file")
    if not zipfile.is_zipfile(path):  # Keras says of these that they are not found
        raise ValueError(f"{path} does not load: it is not a .keras file, or an incomplete one.")
    try:
        check_archive(path)  # Keras reads parts of the file, and would return changed weights
    except DamagedArchive as error:
        raise ValueError(
            f"{path} does not load, it is damaged: {error}. Copy it or save it again."
        ) from error
    try:
        model = keras.saving.load_model(path, compile=compile, safe_mode=True)
    except Exception as error:  # of zipfile, json, HDF5 or Keras, wherever it notices that a file is damaged
        raise ValueError(f"{path} does not load: {one_line(error)}") from error
    if not isinstance(model, keras.Model):
        raise ValueError(f"{path} does not load: it holds a {type(model).__name__}, which is not a model.")
    return model
