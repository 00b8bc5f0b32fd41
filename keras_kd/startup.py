"""Imported first: what has to happen before files are opened and before TensorFlow loads."""

import atexit
import contextlib
import os
import signal
import sys
from types import FrameType

from keras_kd.descriptors import reserve_standard_descriptors

# What the interpreter was started with, without the arguments of the program.
_started = sys.orig_argv[: len(sys.orig_argv) - len(sys.argv) + 1]
IS_COMMAND_LINE = os.path.basename(sys.argv[0]) in ("keras-kd", "keras-kd.exe") or _started[-2:] == [
    "-m",
    "keras_kd",
]
# Help and errors of the command line come without TensorFlow; `keras_kd.cli.loading` loads it.
is_deferred = IS_COMMAND_LINE


def end_at_once(number: int, frame: FrameType | None) -> None:
    """End the process on a signal, without the traceback of whatever is being imported."""
    with contextlib.suppress(OSError):  # nobody may be reading
        os.write(2, b"Interrupted.\n")
    os._exit(128 + number)


reserve_standard_descriptors()
if IS_COMMAND_LINE:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Until a command runs, there is nothing to clean up.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, end_at_once)
        # The interpreter's own end would take the handler away, and the signal end a command that is done.
        atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)
