"""The command line: one short command per verb, no logic that the library lacks."""

import contextlib
import json
import logging
import shlex
import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
import typer.core
from rich.console import Console
from rich.table import Table

from keras_kd import datasets
from keras_kd.deployment.benchmark import benchmark as measure
from keras_kd.deployment.tflite import export as write
from keras_kd.deployment.verification import verify as check
from keras_kd.jobs import demo
from keras_kd.jobs import distil as job
from keras_kd.jobs.runs import Run
from keras_kd.messages import one_line
from keras_kd.reports import Report
from keras_kd.reports.comparison import compare as measure_side_by_side
from keras_kd.signals.tracing import tap_shapes

out = Console(highlight=False, soft_wrap=True, markup=False)
err = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)


# How the library's messages call what is an option here.
_OPTIONS = {
    "overwrite=True": "--overwrite",
    "calibration=": "--data",
    "allow_flex=True": "--allow-flex",
    "batch_size=1": "--batch-size 1",
    "quantization=": "--quantization ",
}


def in_shell(message: str) -> str:
    """A message of the library in words of the command line."""
    for argument, option in _OPTIONS.items():
        message = message.replace(argument, option)
    return message


class OneLineErrors(typer.core.TyperGroup):
    """Shows an error as one line, without a traceback unless `--debug` is given."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            err.print("Interrupted. What was finished is kept; the same command goes on from there.")
            raise typer.Exit(130) from None
        except Exception as error:  # the last stop: whatever it is, it is shown
            if hasattr(error, "exit_code") or ctx.params["debug"]:  # typer's own, or wanted
                raise
            expected = isinstance(error, (ValueError, TypeError, OSError))
            kind = "" if expected else f"{type(error).__name__}: "
            err.print(f"Error: {kind}{in_shell(one_line(error))}")
            raise typer.Exit(1) from None


app = typer.Typer(
    name="keras-kd",
    cls=OneLineErrors,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def root(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Distil, compress and export Keras models, and measure what comes out."""


class DemoData(StrEnum):
    """The data sets of the demo."""

    digits = "digits"
    fashion_mnist = "fashion_mnist"


class Quantization(StrEnum):
    """What `export` can write."""

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


AsJson = Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")]
ModelFile = Annotated[Path, typer.Argument(metavar="MODEL", help="A .keras file.")]
LiteFile = Annotated[Path, typer.Argument(metavar="FILE", help="A .tflite file.")]
DATA = "An .npz file with the arrays x_train, y_train, x_test, y_test and, if you have them, x_val, y_val."
DataFile = Annotated[Path, typer.Option("--data", help=DATA)]
Labels = Annotated[
    int | None, typer.Option(min=1, help="The student sees this many labels; all inputs carry soft targets.")
]
Seeds = Annotated[
    int,
    typer.Option(
        min=1,
        help="How often the student is trained, each way. In distill its first weights stay the same.",
    ),
]
Epochs = Annotated[int | None, typer.Option(min=1, help="Epochs of every training.")]
Folder = Annotated[Path | None, typer.Option("--out", help="Folder of the results.")]


@contextlib.contextmanager
def progress() -> Iterator[job.Progress]:
    """Lines on standard error; where that is a terminal, also a note of what goes on now."""
    with err.status("starting") as status:
        yield job.Progress(say=err.print, note=status.update)


def command_line() -> str:
    """What the user typed."""
    return shlex.join(["keras-kd", *sys.argv[1:]])


def show(result: Any, as_json: bool) -> None:
    """Print a result, readable or as JSON."""
    sys.stdout.write(f"{result.to_json().rstrip() if as_json else result}\n")


def show_report(report: Report, as_json: bool) -> None:
    """Print a report; on a terminal, as wide as it is."""
    if as_json or not sys.stdout.isatty():
        show(report, as_json)
    else:
        out.print(report.text(out.width))


def finished(report: Report, run: Run, as_json: bool) -> None:
    """Print a report and where its page is."""
    show_report(report, as_json)
    err.print(f"Report: {run.path('report.html')}")


@app.command(name="demo")
def demo_command(
    data: Annotated[DemoData, typer.Option(help="The data set.")] = DemoData.digits,
    labels: Labels = None,
    seeds: Seeds = 1,
    epochs: Epochs = None,
    out: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Train, distil, export, verify and measure on real data; leaves a report page.

    Interrupted, the same command goes on from the last finished stage.

    Example: keras-kd demo --data digits --labels 100 --seeds 5
    """
    with progress() as told:
        run, report = demo.demo(
            data, labels=labels, seeds=seeds, epochs=epochs, out=out, progress=told, command=command_line()
        )
    finished(report, run, as_json)


@app.command()
def distill(
    teacher: Annotated[Path, typer.Option(help="The trained teacher, a .keras file.")],
    student: Annotated[Path, typer.Option(help="The student, a .keras file with its first weights.")],
    data: DataFile,
    out: Annotated[Path, typer.Option("--out", help="Folder of the results.")],
    labels: Labels = None,
    seeds: Seeds = 1,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of each student.")] = 20,
    batch_size: Annotated[int, typer.Option(min=1, help="Samples a step.")] = 64,
    learning_rate: Annotated[float, typer.Option(min=0, help="Of Adam, at the start.")] = 2e-3,
    temperature: Annotated[float, typer.Option(min=0, help="Of the soft targets.")] = 4.0,
    alpha: Annotated[float, typer.Option(min=0, max=1, help="Weight of the hard labels.")] = 0.1,
    as_json: AsJson = False,
) -> None:
    """Do for your teacher, student and data what the demo does.

    Example: keras-kd distill --teacher big.keras --student small.keras --data mine.npz --out runs/mine
    """
    recipe = job.Recipe(0, epochs, learning_rate, temperature, alpha)
    with progress() as told:
        run, report = demo.distil_files(
            teacher,
            student,
            data,
            out,
            recipe,
            batch_size=batch_size,
            labels=labels,
            seeds=seeds,
            progress=told,
            command=command_line(),
        )
    finished(report, run, as_json)


@app.command()
def taps(model: ModelFile, as_json: AsJson = False) -> None:
    """List the layers whose output an objective can read.

    Example: keras-kd taps student.keras
    """
    shapes = tap_shapes(demo.read_model(model))
    if as_json:
        sys.stdout.write(json.dumps(shapes, indent=2) + "\n")
        return
    table = Table("tap", "shape", box=None)
    for name, shape in shapes.items():
        table.add_row(name, "unknown until data comes" if shape is None else str(shape))
    out.print(table)


@app.command()
def export(
    model: ModelFile,
    out: Annotated[Path, typer.Option("--out", help="The .tflite file to write.")],
    quantization: Annotated[
        Quantization, typer.Option(help="How numbers are stored.")
    ] = Quantization.float32,
    data: Annotated[Path | None, typer.Option(help=f"For calibration. {DATA}")] = None,
    io: Annotated[FileIO, typer.Option(help="Type of the inputs and outputs.")] = FileIO.float32,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Fix the batch.")] = None,
    sparse: Annotated[bool, typer.Option("--sparse", help="Store pruned weights without zeros.")] = False,
    allow_flex: Annotated[bool, typer.Option("--allow-flex", help="Accept TensorFlow operators.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that exists.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write one .tflite file, run it and compare it with Keras.

    Example: keras-kd export student.keras --out student.tflite --quantization int8 --data mine.npz
    """
    with err.status("converting"):
        exported = write(
            demo.read_model(model),
            out,
            quantization=None if quantization is Quantization.float32 else quantization.value,
            calibration=None if data is None else datasets.load(data).calibration,
            io=io.value,
            batch_size=batch_size,
            sparse=sparse,
            allow_flex=allow_flex,
            overwrite=overwrite,
        )
    show(exported, as_json)


@app.command()
def verify(model: ModelFile, file: LiteFile, data: DataFile, as_json: AsJson = False) -> None:
    """Run a model and its file on the test split and compare what they say.

    Example: keras-kd verify student.keras student.tflite --data mine.npz
    """
    show(check(demo.read_model(model), file, datasets.load(data).test), as_json)


@app.command()
def benchmark(
    file: LiteFile,
    threads: Annotated[int, typer.Option(min=1, help="Threads of the interpreter.")] = 1,
    batch_size: Annotated[int, typer.Option(min=1, help="Samples a call.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Time the calls of a file.

    Example: keras-kd benchmark student.tflite --threads 1
    """
    with err.status("timing"):
        result = measure(file, threads=threads, batch_size=batch_size)
    show(result, as_json)


@app.command()
def compare(
    models: Annotated[list[str], typer.Argument(metavar="NAME=FILE...", help=".keras or .tflite files.")],
    data: DataFile,
    baseline: Annotated[str | None, typer.Option(help="The name to compare with.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Also write .html, .md or .json.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that exists.")] = False,
    as_json: AsJson = False,
) -> None:
    """Measure several models and files on the test split, side by side.

    Example: keras-kd compare big=big.keras int8=student.tflite --data mine.npz --baseline big
    """
    named = dict(name_and_file(model) for model in models)
    if len(named) < len(models):
        raise ValueError(f"Each model needs a name of its own. Received: {', '.join(models)}.")
    report_path_is_free(out, overwrite)
    with progress() as told:
        report = measure_side_by_side(
            datasets.load(data).test,
            baseline=baseline,
            models=named,
            data_name=f"{data.name}, test split",
            command=command_line(),
            progress=told.note,
        )
    if out is not None:
        report.save(out, overwrite=overwrite)
    show_report(report, as_json)


def name_and_file(text: str) -> tuple[str, str]:
    """`NAME=FILE`, or a file that is named after itself."""
    name, equals, file = text.partition("=")
    return (name, file) if equals else (Path(text).stem, text)


def report_path_is_free(path: Path | None, overwrite: bool) -> None:
    """Say before the measuring starts that the report cannot be written."""
    if path is None:
        return
    if path.suffix not in (".html", ".md", ".json"):
        raise ValueError(f"A report ends in .html, .md or .json. Received: {path}.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {path.parent} to write {path.name} to.")
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists. Give --overwrite to replace it.")


def run(arguments: list[str]) -> int:
    """Run the command line and return the exit code."""
    rest = [argument for argument in arguments if argument != "--debug"]
    try:
        app(rest if rest == arguments else ["--debug", *rest])  # it may stand anywhere
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    return 0


def main() -> None:
    """Entry point of `keras-kd`."""
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns of tracing twice what is asked twice
    sys.exit(run(sys.argv[1:]))
