"""What commands print: figures to standard output, everything else to standard error."""

import contextlib
import re
import shlex
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

from rich.console import Console

if TYPE_CHECKING:
    from keras_kd.jobs.experiment import Progress
    from keras_kd.jobs.runs import Run
    from keras_kd.reports import Report

out = Console(highlight=False, soft_wrap=True, markup=False)
err = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)

# What the library's messages call something that is an option here.
_OPTIONS = {
    "overwrite=True": "--overwrite",
    "calibration=": "--data",
    "allow_flex=True": "--allow-flex",
    "batch_size=": "--batch-size ",
    "input_shape=": "--input-shape ",
    "quantization=": "--quantization ",
}


class Figures(Protocol):
    """A result from the library."""

    def to_json(self) -> str:
        """The figures as JSON text."""


def in_shell(message: str) -> str:
    """Rewrite a message from the library in the terms of the command line."""
    message = re.sub(r"(?<=input_shape=)\(([\d, ]+)\)", lambda match: match[1].replace(" ", ""), message)
    for argument, option in _OPTIONS.items():
        message = message.replace(argument, option)
    return message


@contextlib.contextmanager
def show_progress() -> Iterator["Progress"]:
    """Print lines on standard error and, if it is a terminal, a status line that says what is running."""
    from keras_kd.jobs.experiment import Progress

    with err.status("starting") as status:
        yield Progress(say=err.print, note=status.update)


def command_line() -> str:
    """What the user typed."""
    return shlex.join(["keras-kd", *sys.argv[1:]])


def show(result: Figures, as_json: bool) -> None:
    """Print a result, readable or as JSON."""
    sys.stdout.write(f"{result.to_json().rstrip() if as_json else result}\n")


def show_report(report: "Report", as_json: bool) -> None:
    """Print a report; on a terminal, no wider than the terminal."""
    if as_json or not sys.stdout.isatty():
        show(report, as_json)
    else:
        out.print(report.text(out.width))


def show_run(report: "Report", run: "Run", as_json: bool) -> None:
    """Print the report of a finished run and where its page is."""
    show_report(report, as_json)
    err.print(f"Report: {run.path('report.html')}")
