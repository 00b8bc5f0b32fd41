"""The command that measures models and files side by side: `compare`."""

import dataclasses
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from keras_kd.cli.loading import load_library
from keras_kd.cli.options import (
    AsJson,
    CustomObjects,
    ImageSize,
    MetricOption,
    Overwrite,
    PixelRange,
    PixelsOption,
    Target,
    TestFile,
)
from keras_kd.cli.output import command_line, in_shell, show_progress, show_report
from keras_kd.cli.sources import check_source, open_source, shape_for
from keras_kd.locations import (
    MODEL_SUFFIXES,
    check_lite_file,
    check_model,
    check_report_target,
    data_kind,
)
from keras_kd.messages import did_you_mean

if TYPE_CHECKING:
    from keras_kd.reports import Report


def compare(
    models: Annotated[list[str], typer.Argument(metavar="NAME=FILE...", help=".keras or .tflite files.")],
    data: TestFile,
    target: Target = None,
    pixels: PixelRange = PixelsOption.bytes,
    image_size: ImageSize = None,
    baseline: Annotated[str | None, typer.Option(help="The name to compare with.")] = None,
    source: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE=MODEL", help="Names of a file of another tool and of its model."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Also write .html, .md or .json.")] = None,
    metric: MetricOption = None,
    custom_objects: CustomObjects = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Measure models and files on the test split, side by side.

    Example: keras-kd compare big=big.keras small=small.keras int8=small.tflite --data mine.npz --baseline big
    """
    named, sources = files_by_name(models), parse_sources(source or [])
    for file in named.values():
        check_file(file)
    check_baseline(baseline, named)
    if baseline is None or baseline in named:  # the model of another file has a name that is not known yet
        check_sources(sources, named)
    check_source(data, target, pixels, image_size)
    if out is not None:
        check_report_target(out, overwrite=overwrite)
    load_library(custom_objects)
    from keras_kd.reports.comparison import compare

    with show_progress() as progress:
        report = compare(
            open_source(data, target, pixels, image_size).test(shape_for(data, next(iter(named.values())))),
            baseline=baseline,
            models=named,
            sources=sources,
            data_name=f"{name_of_data(data)}, test split",
            command=command_line(),
            metric=metric,
            progress=progress.note,
        )
    report = with_gaps_in_shell(report)
    if out is not None:
        report.save(out, overwrite=overwrite)
    show_report(report, as_json)


def files_by_name(texts: list[str]) -> dict[str, str]:
    """Name -> file."""
    named: dict[str, str] = {}
    for name, file in map(split_name_and_file, texts):
        if name in named:
            raise ValueError(
                f"Each model needs a name of its own, but {named[name]} and {file} are both named {name!r}. "
                f"Name one of them, as in NAME={file}."
            )
        named[name] = file
    return named


def check_file(path: str) -> None:
    """Raise an error for what is neither a model nor a `.tflite` file that is there."""
    check_lite_file(path) if path.endswith(".tflite") else check_model(path)


def check_baseline(text: str | None, names: Collection[str]) -> None:
    """Raise an error for a baseline that is neither one of the names nor a model or a file."""
    if text is None or text in names:
        return
    if Path(text).suffix not in (".tflite", *MODEL_SUFFIXES):
        raise ValueError(
            f"--baseline is one of the names {', '.join(names)}, or a .keras or .tflite file. "
            f"Received: {text!r}.{did_you_mean(text, names)}"
        )
    check_file(text)


def name_of_data(text: str) -> str:
    """The name of data in a report: that of its file, or as it was typed."""
    return text if data_kind(text) == "tfds" else Path(text).name


def split_name_and_file(text: str) -> tuple[str, str]:
    """`NAME=FILE`, or a file that is its own name."""
    name, equals, file = text.partition("=")
    return (name, file) if equals else (Path(text).stem, text)


def parse_sources(texts: list[str]) -> dict[str, str]:
    """Name of a file -> name of the model that it was made from."""
    sources: dict[str, str] = {}
    for text in texts:
        file, _, model = text.partition("=")
        if not file or not model:
            raise ValueError(
                "--source takes the names of a file and of the model it was made from, as in int8=student. "
                f"Received: {text!r}"
            )
        if file in sources:
            raise ValueError(f"--source names {file!r} twice: a file is made from one model.")
        sources[file] = model
    return sources


def check_sources(sources: Mapping[str, str], names: Collection[str]) -> None:
    """Raise an error for names in `--source` that no model or file has."""
    for name in (*sources, *sources.values()):
        if name not in names:
            raise typer.BadParameter(
                f"--source names {name!r}, but the models are {', '.join(names)}.{did_you_mean(name, names)}"
            )


def with_gaps_in_shell(report: "Report") -> "Report":
    """The report; what was not measured is explained in the terms of the command line."""
    gaps = [dataclasses.replace(gap, why=in_shell(gap.why)) for gap in report.not_measured]
    return dataclasses.replace(report, not_measured=gaps)
