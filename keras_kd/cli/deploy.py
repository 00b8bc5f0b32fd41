"""Commands for one `.tflite` file: `export`, `verify` and `benchmark`."""

import re
from pathlib import Path
from typing import Annotated

import typer

from keras_kd.cli.loading import load_library
from keras_kd.cli.options import (
    CALIBRATED,
    AllowFlex,
    AsJson,
    BatchSize,
    CalibrationFile,
    CustomObjects,
    FileIO,
    ImageSize,
    InputShape,
    IOType,
    LiteFile,
    MetricOption,
    ModelFile,
    Overwrite,
    PixelRange,
    PixelsOption,
    Quantization,
    QuantizationOption,
    Sparse,
    Target,
    TestFile,
)
from keras_kd.cli.output import show, show_status
from keras_kd.cli.sources import calibration_inputs, check_source, open_source
from keras_kd.locations import RESIZED, check_lite_target, data_kind


def export(
    model: ModelFile,
    out: Annotated[Path, typer.Option("--out", help="The .tflite file to write.")],
    quantization: Quantization = QuantizationOption.float32,
    data: CalibrationFile = None,
    target: Target = None,
    pixels: PixelRange = PixelsOption.bytes,
    image_size: ImageSize = None,
    io: IOType = FileIO.float32,
    batch_size: BatchSize = "1",
    input_shape: InputShape = None,
    sparse: Sparse = False,
    allow_flex: AllowFlex = False,
    custom_objects: CustomObjects = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Write one .tflite file, run it and compare it with Keras.

    Example: keras-kd export student.keras --out student.tflite --quantization int8 --data mine.npz
    """
    check_lite_target(out, overwrite=overwrite)
    samples, shape = parse_batch_size(batch_size), parse_input_shape(input_shape)
    if data is None and quantization in CALIBRATED:
        raise ValueError(
            f"--quantization {quantization.value} needs --data: a few hundred samples of the training "
            "inputs, in an .npz file, a folder of images, a table or tfds:NAME."
        )
    if data is not None:
        check_source(data, target, pixels, image_size)
        image_size = image_size or size_in(shape, data)
    load_library(custom_objects)
    from keras_kd.deployment.tflite import export
    from keras_kd.model_files import load_model

    loaded = load_model(model)
    inputs = calibration_inputs(loaded, data, target, pixels, image_size)
    with show_status("converting"):
        exported = export(
            loaded,
            out,
            quantization=quantization.value,
            calibration=inputs,
            io=io.value,
            batch_size=samples,
            input_shape=shape,
            sparse=sparse,
            allow_flex=allow_flex,
            overwrite=overwrite,
        )
    show(exported, as_json)


def verify(
    model: ModelFile,
    file: LiteFile,
    data: TestFile,
    target: Target = None,
    pixels: PixelRange = PixelsOption.bytes,
    image_size: ImageSize = None,
    metric: MetricOption = None,
    custom_objects: CustomObjects = None,
    as_json: AsJson = False,
) -> None:
    """Compare a file with its Keras model on the test split.

    Example: keras-kd verify student.keras student.tflite --data mine.npz
    """
    check_source(data, target, pixels, image_size)
    load_library(custom_objects)
    from keras_kd.datasets.model_shape import ModelShape
    from keras_kd.deployment.verification import verify
    from keras_kd.model_files import load_model

    source, loaded = open_source(data, target, pixels, image_size), load_model(model)
    show(verify(loaded, file, source.test(ModelShape.of(loaded)), metric=metric), as_json)


def benchmark(
    file: LiteFile,
    threads: Annotated[int, typer.Option(min=1, help="Threads of the interpreter.")] = 1,
    batch_size: Annotated[
        int | None,
        typer.Option(
            min=1, help="Samples per call; 1 without it, or what the file fixes.", show_default=False
        ),
    ] = None,
    input_shape: InputShape = None,
    as_json: AsJson = False,
) -> None:
    """Measure how long one call of a file takes.

    Example: keras-kd benchmark student.tflite --threads 1
    """
    shape = parse_input_shape(input_shape)
    load_library()
    from keras_kd.deployment.benchmark import benchmark

    with show_status("timing"):
        result = benchmark(file, threads=threads, batch_size=batch_size, input_shape=shape)
    show(result, as_json)


def size_in(shape: tuple[int, ...] | dict[str, tuple[int, ...]] | None, data: str) -> str | None:
    """The height and width in the shape of an image, as --image-size takes them, for data that has some."""
    if isinstance(shape, tuple) and len(shape) == 3 and data_kind(data) in RESIZED:
        return f"{shape[0]}x{shape[1]}"
    return None


def parse_batch_size(text: str) -> int | None:
    """A number of samples per call; `None` for "free"."""
    if text == "free":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise typer.BadParameter(f"--batch-size must be a number from 1, or free. Received: {text!r}")
    return int(text)


def parse_input_shape(texts: list[str] | None) -> tuple[int, ...] | dict[str, tuple[int, ...]] | None:
    """The shape of one sample, or the shapes by name of an input."""
    if not texts:
        return None
    shapes = {}
    for text in texts:
        name, _, shape = text.rpartition("=")
        sizes = re.split("[,x]", shape)
        if not all(size.strip().isdecimal() for size in sizes):
            raise typer.BadParameter(
                "--input-shape must be sizes such as 224,224,3, or NAME=224,224,3 for one of several inputs. "
                f"Received: {text!r}"
            )
        shapes[name] = tuple(map(int, sizes))
    if "" in shapes and len(texts) > 1:
        raise typer.BadParameter(f"--input-shape needs a name for each of several inputs. Received: {texts}")
    return shapes.get("", shapes)
