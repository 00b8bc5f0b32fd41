"""The data that commands measure with, and the models that it has to fit."""

from pathlib import Path
from typing import TYPE_CHECKING

from keras_kd.cli.options import PixelsOption, parse_image_size
from keras_kd.cli.output import say
from keras_kd.locations import check_reading, data_kind

if TYPE_CHECKING:
    import keras
    import numpy as np

    from keras_kd.datasets.model_shape import ModelShape
    from keras_kd.datasets.sources import Source


def check_source(
    data: str,
    target: str | None,
    pixels: PixelsOption,
    image_size: str | None,
    *,
    needs_target: bool = False,
) -> None:
    """Raise an error for options that are for other data than `--data` names, before TensorFlow loads."""
    size = _size(image_size)
    check_reading(data, target=target, pixels=pixels.value, image_size=size, needs_target=needs_target)


def _size(text: str | None) -> tuple[int, int] | None:
    return None if text is None else parse_image_size(text)


def open_source(data: str, target: str | None, pixels: PixelsOption, image_size: str | None) -> "Source":
    """What `--data` names, read as the other options say.

    Args:
        data: The data.
        target: The columns of labels in a table.
        pixels: The range of pixels.
        image_size: Height and width of images.
    """
    from keras_kd.datasets.sources import Source

    return Source(data, target, pixels.value, _size(image_size), say)


def open_model(path: Path) -> "keras.Model":
    """A model without its optimizer, loss and metrics: what was made smaller is compiled anew."""
    from keras_kd.model_files import load_model

    return load_model(path, compile=False)


def calibration_inputs(
    model: "keras.Model", data: str | None, target: str | None, pixels: PixelsOption, image_size: str | None
) -> "np.ndarray | None":
    """The training inputs that ranges and statistics are measured on; none without `--data`.

    Args:
        model: What they have to fit.
        data: The data; the other arguments are as for `open_source`.
        target: The columns of labels in a table.
        pixels: The range of pixels.
        image_size: Height and width of images.
    """
    from keras_kd.datasets.model_shape import ModelShape

    if data is None:
        return None
    return open_source(data, target, pixels, image_size).calibration(ModelShape.of(model))


def shape_for(data: str, path: str) -> "ModelShape":
    """The shapes that data has to fit: those of a Keras model or a `.tflite` file.

    Arrays are measured with as they are, so that no model has to be loaded for them.
    """
    from keras_kd.datasets.model_shape import ModelShape
    from keras_kd.deployment.litemodel import LiteModel

    if data_kind(data) == "arrays":
        return ModelShape({}, {})
    if not path.endswith(".tflite"):
        return ModelShape.of(open_model(Path(path)))
    file = LiteModel(path)
    return ModelShape(
        {tensor.name: tensor.shape[1:] for tensor in file.inputs},
        {tensor.name: tensor.shape[1:] for tensor in file.outputs},
    )
