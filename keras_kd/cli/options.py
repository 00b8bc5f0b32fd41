"""Arguments and options that several commands share; paths are checked before TensorFlow loads."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from keras_kd.cli.loading import check_modules
from keras_kd.files import check_regular
from keras_kd.locations import check_lite_file, check_model

DATA_HELP = "An .npz file with the arrays x_train, y_train, x_test, y_test and, optionally, x_val, y_val."
CALIBRATION_HELP = "For calibration: an .npz file with the array x_train."
TEST_HELP = "An .npz file with the array x_test, and labels of any kind in y_test."


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


class FileIO(StrEnum):
    """Types of a file's inputs and outputs."""

    float32 = "float32"
    int8 = "int8"
    uint8 = "uint8"
    int16 = "int16"


def check_data(path: Path | None) -> Path | None:
    """The path of a data file, or none."""
    if path is not None:
        check_regular(path, "an .npz file")
    return path


Quantization = Annotated[QuantizationOption, typer.Option(case_sensitive=False, help="Number format.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")]
ModelFile = Annotated[
    Path, typer.Argument(metavar="MODEL", callback=check_model, help="A Keras model: .keras, .h5 or .hdf5.")
]
LiteFile = Annotated[Path, typer.Argument(metavar="FILE", callback=check_lite_file, help="A .tflite file.")]
DataFile = Annotated[Path, typer.Option("--data", callback=check_data, help=DATA_HELP)]
TestFile = Annotated[Path, typer.Option("--data", callback=check_data, help=TEST_HELP)]
CalibrationFile = Annotated[Path | None, typer.Option("--data", callback=check_data, help=CALIBRATION_HELP)]
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
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")]
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
