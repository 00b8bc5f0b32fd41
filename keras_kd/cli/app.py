"""The command line: one short command per verb, and no logic that the library lacks.

The files of the commands import the library inside functions, after `load_library`: help and mistakes in the
arguments are answered without TensorFlow.
"""

import contextlib
import logging
import signal
import sys
import traceback
from collections.abc import Iterator
from types import FrameType
from typing import Annotated

import typer
import typer.core

from keras_kd import __version__, startup
from keras_kd.cli import channels, compare, deploy, inspect, statistics, structure, train
from keras_kd.cli.output import in_shell, one_line_warnings, say, write
from keras_kd.cli.streams import standard_streams
from keras_kd.messages import one_line


class Terminated(BaseException):
    """A request to end, from a service manager or a terminal that closes; it cleans up as Ctrl-C does.

    Args:
        number: The signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number  # as shells report it


# What they send.
_REQUESTS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


def _terminate(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_DFL)  # a second request does not wait
    raise Terminated(number)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Have Ctrl-C raise an error, so that a command can clean up; before and after, it ends the process."""
    if signal.getsignal(signal.SIGINT) is not startup.end_at_once:  # ignored, as in the background
        yield
        return
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        yield
    finally:
        signal.signal(signal.SIGINT, startup.end_at_once)


class OneLineErrors(typer.core.TyperGroup):
    """Shows an error as one line, without a traceback unless `--debug` is given."""

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]
        try:
            with interruptible():
                return super().invoke(ctx)
        except (KeyboardInterrupt, Terminated) as end:
            say("Interrupted. Finished stages are kept; the same command resumes from there.")
            raise typer.Exit(end.exit_code if isinstance(end, Terminated) else 130) from None
        except Exception as error:  # the last resort: whatever it is, it is shown
            if isinstance(error, typer.BadParameter):
                error.message = error.message.removeprefix("Value error, ")
            if hasattr(error, "exit_code") or ctx.params["debug"]:  # typer's own, or wanted
                raise
            expected = isinstance(error, (ValueError, TypeError, OSError))
            kind = "" if expected else f"{type(error).__name__}: "
            say(f"Error: {kind}{in_shell(one_line(error))}")
            raise typer.Exit(1) from None


app = typer.Typer(
    name="keras-kd",
    cls=OneLineErrors,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def show_version(wanted: bool) -> None:
    """Print the version and end, if that is what is wanted."""
    if wanted:
        write(f"keras-kd {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Show the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Distill, compress and export Keras models, and measure the result."""


for command in (
    train.demo,
    train.distill,
    inspect.taps,
    inspect.cost,
    channels.shrink,
    channels.compact,
    structure.factorize,
    structure.sensitivity,
    statistics.recalibrate,
    deploy.export,
    deploy.verify,
    deploy.benchmark,
    compare.compare,
):
    app.command()(command)


def run(arguments: list[str]) -> int:
    """Run the command line and return the exit code."""
    rest = [argument for argument in arguments if argument != "--debug"]
    try:
        app(rest if rest == arguments else ["--debug", *rest])  # the option may be anywhere
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    return 0


def run_in_streams(arguments: list[str]) -> int:
    """Run the command line with streams that outlive their readers, and return the exit code."""
    try:
        with standard_streams(), one_line_warnings():
            try:
                return run(arguments)
            except Exception:  # with --debug; printed here, where control characters are escaped
                traceback.print_exc()
                return 1
    except SystemExit as end:  # the result could not be written
        return end.code if isinstance(end.code, int) else 1


def main() -> None:
    """Entry point of `keras-kd`."""
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # otherwise it warns about functions traced twice
    for number in _REQUESTS:
        if signal.getsignal(number) is signal.SIG_DFL:  # not ignored, as after nohup
            signal.signal(number, _terminate)
    startup.exit_code = run_in_streams(sys.argv[1:])
    sys.exit(startup.exit_code)
