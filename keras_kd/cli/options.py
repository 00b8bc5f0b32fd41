"""Arguments and options that several commands share; paths are checked before TensorFlow loads."""

import contextlib
import re
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from keras_kd.cli.loading import check_modules
from keras_kd.locations import check_data, check_lite_file, check_model

DATA_HELP = "An .npz file, a folder of images by class, a .csv, .tsv or .parquet table, or tfds:NAME."
CALIBRATION_HELP = f"For calibration, of which the training inputs are used. {DATA_HELP}"
TEST_HELP = f"Of which the test rows are used. {DATA_HELP}"
VALIDATION_HELP = f"Of which the validation rows are used. {DATA_HELP}"
TRAINING_HELP = f"Of which the training inputs are used. {DATA_HELP}"


class DemoData(StrEnum):
    """The datasets of the demo."""

    digits = "digits"
    fashion_mnist = "fashion_mnist"


class QuantizationOption(StrEnum):
    """The quantizations that `export` can write."""

    float32 = "float32"
    float16 = "float16"
    dynamic = "dynamic"
    int8 = "int8"
    int16x8 = "int16x8"


# Those with integer activations, whose ranges come from samples.
CALIBRATED = (QuantizationOption.int8, QuantizationOption.int16x8)


class FileIO(StrEnum):
    """Types of a file's inputs and outputs."""

    float32 = "float32"
    int8 = "int8"
    uint8 = "uint8"
    int16 = "int16"


class PixelsOption(StrEnum):
    """The ranges of pixels that models expect."""

    bytes = "0..255"
    unit = "0..1"
    symmetric = "-1..1"


@contextlib.contextmanager
def usage_errors() -> Iterator[None]:
    """Make an error about a value one about the command line, with its exit code."""
    try:
        yield
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def check_optional_model(path: Path | None) -> Path | None:
    """A model that can be loaded, or none."""
    return None if path is None else check_model(path)


def check_optional_data(text: str | None) -> str | None:
    """The text that names data, or none."""
    return None if text is None else check_data(text)


def parse_image_size(text: str) -> tuple[int, int]:
    """Height and width."""
    sizes = [size.strip() for size in re.split("[,x]", text)]
    if len(sizes) > 2 or not all(size.isdecimal() and int(size) for size in sizes):
        raise typer.BadParameter(f"--image-size takes HEIGHTxWIDTH, as in 224x224. Received: {text!r}")
    return int(sizes[0]), int(sizes[-1])


def check_image_size(text: str | None) -> str | None:
    """A height and width, or none."""
    if text is not None:
        parse_image_size(text)
    return text


Quantization = Annotated[QuantizationOption, typer.Option(case_sensitive=False, help="Number format.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")]
ModelFile = Annotated[
    Path, typer.Argument(metavar="MODEL", callback=check_model, help="A Keras model: .keras, .h5 or .hdf5.")
]
LiteFile = Annotated[Path, typer.Argument(metavar="FILE", callback=check_lite_file, help="A .tflite file.")]
DataFile = Annotated[str, typer.Option("--data", metavar="DATA", callback=check_data, help=DATA_HELP)]
TestFile = Annotated[str, typer.Option("--data", metavar="DATA", callback=check_data, help=TEST_HELP)]
ValidationFile = Annotated[
    str, typer.Option("--data", metavar="DATA", callback=check_data, help=VALIDATION_HELP)
]
TrainingFile = Annotated[str, typer.Option("--data", metavar="DATA", callback=check_data, help=TRAINING_HELP)]
CalibrationFile = Annotated[
    str | None,
    typer.Option("--data", metavar="DATA", callback=check_optional_data, help=CALIBRATION_HELP),
]
Target = Annotated[
    str | None,
    typer.Option(
        "--target", metavar="COLUMN", help="The column of a table with the labels, or several: a,b."
    ),
]
PixelRange = Annotated[
    PixelsOption, typer.Option("--pixels", help="The range of pixels that the model expects of images.")
]
ImageSize = Annotated[
    str | None,
    typer.Option(
        "--image-size",
        metavar="HEIGHTxWIDTH",
        callback=check_image_size,
        help="Size of images, where the model leaves it free.",
    ),
]
BatchSize = Annotated[
    str,
    typer.Option("--batch-size", metavar="N|free", help="Samples per call; browsers and GPUs need a number."),
]
InputShape = Annotated[
    list[str] | None,
    typer.Option(
        "--input-shape",
        metavar="SIZES",
        help="Shape of a sample, as 224,224,3, where sizes are free. With names for several inputs: a=8,8.",
    ),
]
MetricOption = Annotated[
    str | None,
    typer.Option("--metric", help="What to measure besides the accuracy: the name of a Keras metric."),
]
CustomObjects = Annotated[
    list[str] | None,
    typer.Option(
        "--custom-objects",
        metavar="MODULE",
        callback=check_modules,
        help="A module, or a .py file, that registers layers of your own with Keras.",
    ),
]
IOType = Annotated[FileIO, typer.Option("--io", case_sensitive=False, help="Type of the inputs and outputs.")]
Sparse = Annotated[bool, typer.Option("--sparse", help="Store pruned weights without zeros.")]
AllowFlex = Annotated[bool, typer.Option("--allow-flex", help="Accept TensorFlow operators.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")]
ModelTarget = Annotated[Path, typer.Option("--out", help="The .keras file to write.")]
Folder = Annotated[Path, typer.Option("--out", help="Folder for the results.")]
Epochs = Annotated[int | None, typer.Option(min=1, help="Epochs of every training run.")]
Labels = Annotated[
    int | None,
    typer.Option(min=1, help="Labels available to the student; soft targets cover all inputs."),
]
Seeds = Annotated[
    int,
    typer.Option(
        min=1,
        help="How often to train each student. With distill, its initial weights stay the same.",
    ),
]
