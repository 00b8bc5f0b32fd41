"""The command that measures models and files side by side: `compare`."""

from pathlib import Path
from typing import Annotated

import typer

from keras_kd.cli.options import AsJson, MetricOption, Overwrite, TestFile
from keras_kd.cli.output import command_line, show_progress, show_report


def compare(
    models: Annotated[list[str], typer.Argument(metavar="NAME=FILE...", help=".keras or .tflite files.")],
    data: TestFile,
    baseline: Annotated[str | None, typer.Option(help="The name to compare with.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Also write .html, .md or .json.")] = None,
    metric: MetricOption = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Measure several models and files on the test split, side by side.

    Example: keras-kd compare big=big.keras int8=student.tflite --data mine.npz --baseline big
    """
    from keras_kd.datasets.npz import load_test
    from keras_kd.reports.comparison import compare
    from keras_kd.reports.report import check_report_path

    named = files_by_name(models)
    if out is not None:
        check_report_path(out, overwrite=overwrite)
    with show_progress() as progress:
        report = compare(
            load_test(data),
            baseline=baseline,
            models=named,
            data_name=f"{data.name}, test split",
            command=command_line(),
            metric=metric,
            progress=progress.note,
        )
    if out is not None:
        report.save(out, overwrite=overwrite)
    show_report(report, as_json)


def files_by_name(texts: list[str]) -> dict[str, str]:
    """Name -> file."""
    named = dict(split_name_and_file(text) for text in texts)
    if len(named) < len(texts):
        raise ValueError(f"Each model needs a name of its own. Received: {', '.join(texts)}.")
    return named


def split_name_and_file(text: str) -> tuple[str, str]:
    """`NAME=FILE`, or a file that is its own name."""
    name, equals, file = text.partition("=")
    return (name, file) if equals else (Path(text).stem, text)
