"""What commands print: figures to standard output, everything else to standard error."""

import contextlib
import re
import shlex
import shutil
import sys
import textwrap
import time
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Protocol

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from keras_kd.messages import one_line, printable

if TYPE_CHECKING:
    from keras_kd.jobs.experiment import Progress
    from keras_kd.jobs.runs import Run
    from keras_kd.reports import Report

# Draws on standard error; all text that it gets went through `printable`.
err = Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)

_SPINNER = 2  # columns
# Seconds of silence after which a note is printed where no status line can be drawn.
_FIRST_PAUSE, _LONGEST_PAUSE = 5.0, 80.0

# What the library's messages call something that is an option here.
_OPTIONS = {
    "overwrite=True": "--overwrite",
    "strict=True": "--strict",
    "kd.recalibrate(model, data)": "keras-kd recalibrate",
    "more_epochs=True": "--continue",
    "learning_rate=": "--learning-rate",
    "another loss=": "another --loss",
    "calibration=": "--data",
    "allow_flex=True": "--allow-flex",
    "batch_size=": "--batch-size ",
    "input_shape= ": "--input-shape ",
    "input_shape=": "--input-shape ",
    "quantization=": "--quantization ",
    "(teacher_preprocess=...)": "(--pixels, if it is images)",
    "metric='accuracy'": "--metric accuracy",
    "import the module first: import MODULE": "name the module: --custom-objects MODULE",
    "sources names": "--source names",
    "sources maps": "--source maps",
    "in sources": "with --source FILE=MODEL",
    "Pass a dict or a list: a tuple is read as (x, y).": (
        "--data is for models with one input: for others, use kd.export, kd.verify and kd.compare in Python."
    ),
}


class Figures(Protocol):
    """A result from the library."""

    def to_json(self) -> str:
        """The figures as JSON text."""


def in_shell(message: str) -> str:
    """Rewrite a message from the library in the terms of the command line."""
    message = re.sub(r"(?<=image_size=)\((\d+), (\d+)\)", r"\1x\2", message)
    message = re.sub(r"\b(target|pixels|image_size)=(?=(['\d])?)", _data_option, message)
    message = message.replace("give input_shape, such as (", "give input_shape=(")
    message = re.sub(r"(?<=input_shape=)\(([\d, ]+)\)", lambda match: match[1].replace(" ", ""), message)
    message = re.sub(r"input_shape=\{([^}]*)\}", _named_shapes, message)
    for argument, option in _OPTIONS.items():
        message = message.replace(argument, option)
    return message


def _data_option(found: re.Match[str]) -> str:
    return f"--{found[1].replace('_', '-')}{' ' if found[2] else ''}"


def _named_shapes(found: re.Match[str]) -> str:
    shapes = re.findall(r"'([^']*)': \(([\d, ]+)\)", found[1])
    return " ".join(f"--input-shape {name}={sizes.replace(' ', '').rstrip(',')}" for name, sizes in shapes)


def write(text: str) -> None:
    """Print the result of a command on standard output."""
    sys.stdout.write(f"{printable(text)}\n")
    sys.stdout.flush()  # before what comes on standard error


def say(text: str) -> None:
    """Print a line on standard error; on a terminal, it is wrapped between words."""
    line = printable(text, keep="")
    if sys.stderr.isatty():
        line = textwrap.fill(line, err.width, break_long_words=False, break_on_hyphens=False)
    err.print(line)


@contextlib.contextmanager
def show_status(text: str) -> Iterator[None]:
    """If standard error is a terminal, say there what is running."""
    with _spinner(text):
        yield


@contextlib.contextmanager
def _spinner(text: str) -> Iterator[Spinner]:
    spinner = Spinner("dots", _status(text), style="status.spinner")
    # The streams stay as they are: rich would draw its frames on the one that escapes control characters.
    with Live(spinner, console=err, transient=True, redirect_stdout=False, redirect_stderr=False):
        yield spinner


def _status(text: str) -> Text:
    # As Text, so that rich does not interpret markup in a name.
    status = Text(printable(text, keep=""))
    status.truncate(err.width - _SPINNER, overflow="ellipsis")  # one line, which the next one replaces
    return status


class SparseNotes:
    """Prints a note where no status line can be drawn, after silence that gets longer and longer.

    Args:
        say: Prints a line.
        clock: Seconds from any start.
    """

    def __init__(self, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._say, self._clock = say, clock
        self._spoke, self._pause = clock(), _FIRST_PAUSE
        self._said = ""

    def say(self, text: str) -> None:
        """Print a line."""
        self._say(text)
        self._spoke, self._pause = self._clock(), _FIRST_PAUSE

    def note(self, text: str) -> None:
        """Print a note if it is time for one that was not just printed."""
        if self._clock() - self._spoke >= self._pause and text != self._said:
            self._say(text)
            self._said = text
            self._spoke, self._pause = self._clock(), min(2 * self._pause, _LONGEST_PAUSE)


@contextlib.contextmanager
def show_progress() -> Iterator["Progress"]:
    """Print lines on standard error, and what is running: as a status line, or now and then as a line."""
    from keras_kd.jobs.experiment import Progress

    if not err.is_terminal:
        notes = SparseNotes(say)
        yield Progress(say=notes.say, note=notes.note)
        return
    with _spinner("starting") as spinner:
        yield Progress(say=say, note=lambda note: spinner.update(text=_status(note)))


@contextlib.contextmanager
def one_line_warnings() -> Iterator[None]:
    """Print warnings like errors: one line each, without the line of code that they point to."""
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *where, **more: say(f"Warning: {in_shell(one_line(message))}")
        yield


def command_line() -> str:
    """What the user typed."""
    return shlex.join(["keras-kd", *sys.argv[1:]])


def show(result: Figures, as_json: bool) -> None:
    """Print a result, readable or as JSON."""
    write(result.to_json().rstrip() if as_json else in_shell(str(result)))


def show_report(report: "Report", as_json: bool) -> None:
    """Print a report; on a terminal, no wider than the terminal."""
    if as_json or not sys.stdout.isatty():
        show(report, as_json)
    else:
        write(report.text(shutil.get_terminal_size().columns))


def show_run(report: "Report", run: "Run", as_json: bool) -> None:
    """Print the report of a finished run and where its page is."""
    show_report(report, as_json)
    say(f"Report: {run.path('report.html')}")
