"""Imported first: what has to happen before files are opened and before TensorFlow loads."""

import os
import signal
import sys

# What the interpreter was started with, without the arguments of the program.
_started = sys.orig_argv[: len(sys.orig_argv) - len(sys.argv) + 1]
# `-m keras_kd`, `-mkeras_kd`, or after other options of Python, `-um keras_kd`.
_module = "".join(_started[-2:] if _started[-1:] == ["keras_kd"] else _started[-1:])
IS_COMMAND_LINE = os.path.basename(sys.argv[0]) in ("keras-kd", "keras-kd.exe") or (
    _module.startswith("-") and _module.endswith("mkeras_kd")
)
# Help and errors of the command line come without TensorFlow; `keras_kd.cli.loading` loads it.
is_deferred = IS_COMMAND_LINE
# What the process ends with, once nothing is left to do but what others registered with `atexit`.
exit_code: int | None = None


def end_at_once(number: int, frame: object) -> None:
    """End the process on a signal, without the traceback of whatever is being imported."""
    try:  # noqa: SIM105 - contextlib is imported below
        os.write(2, b"Interrupted.\n")
    except OSError:  # nobody may be reading
        pass
    os._exit(128 + number)


# Until a command runs, there is nothing to clean up. The other imports wait: Ctrl-C may come during them.
if IS_COMMAND_LINE and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, end_at_once)

import atexit  # noqa: E402
import contextlib  # noqa: E402

from keras_kd.descriptors import reserve_standard_descriptors  # noqa: E402


def leave() -> None:
    """End the process if a command is done: Python would spend seconds on taking TensorFlow apart."""
    # Its end takes the handler away, and the signal would end a command that is done.
    if signal.getsignal(signal.SIGINT) is end_at_once:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    if exit_code is None:
        return
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):  # it is closed, or there is none
            stream.flush()
    os._exit(exit_code)


reserve_standard_descriptors()
if IS_COMMAND_LINE:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    atexit.register(leave)  # the first to be registered, and so the last to be called
