"""Commands for one `.tflite` file: `export`, `verify` and `benchmark`."""

from pathlib import Path
from typing import Annotated

import typer

from keras_kd.cli.options import (
    DATA_HELP,
    AsJson,
    DataFile,
    FileIO,
    LiteFile,
    MetricOption,
    ModelFile,
    Overwrite,
    Quantization,
    QuantizationOption,
)
from keras_kd.cli.output import err, show


def export(
    model: ModelFile,
    out: Annotated[Path, typer.Option("--out", help="The .tflite file to write.")],
    quantization: Quantization = QuantizationOption.float32,
    data: Annotated[Path | None, typer.Option(help=f"For calibration. {DATA_HELP}")] = None,
    io: Annotated[FileIO, typer.Option(help="Type of the inputs and outputs.")] = FileIO.float32,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Fix the batch size.")] = None,
    sparse: Annotated[bool, typer.Option("--sparse", help="Store pruned weights without zeros.")] = False,
    allow_flex: Annotated[bool, typer.Option("--allow-flex", help="Accept TensorFlow operators.")] = False,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Write one .tflite file, run it and compare it with Keras.

    Example: keras-kd export student.keras --out student.tflite --quantization int8 --data mine.npz
    """
    from keras_kd import datasets
    from keras_kd.deployment.tflite import export
    from keras_kd.model_files import load_model

    with err.status("converting"):
        exported = export(
            load_model(model),
            out,
            quantization=None if quantization is QuantizationOption.float32 else quantization.value,
            calibration=None if data is None else datasets.load(data).calibration,
            io=io.value,
            batch_size=batch_size,
            sparse=sparse,
            allow_flex=allow_flex,
            overwrite=overwrite,
        )
    show(exported, as_json)


def verify(
    model: ModelFile,
    file: LiteFile,
    data: DataFile,
    metric: MetricOption = None,
    as_json: AsJson = False,
) -> None:
    """Run a model and its file on the test split and compare their outputs.

    Example: keras-kd verify student.keras student.tflite --data mine.npz
    """
    from keras_kd import datasets
    from keras_kd.deployment.verification import verify
    from keras_kd.model_files import load_model

    show(verify(load_model(model), file, datasets.load(data).test, metric=metric), as_json)


def benchmark(
    file: LiteFile,
    threads: Annotated[int, typer.Option(min=1, help="Threads of the interpreter.")] = 1,
    batch_size: Annotated[int, typer.Option(min=1, help="Samples per call.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Measure how long one call of a file takes.

    Example: keras-kd benchmark student.tflite --threads 1
    """
    from keras_kd.deployment.benchmark import benchmark

    with err.status("timing"):
        result = benchmark(file, threads=threads, batch_size=batch_size)
    show(result, as_json)
