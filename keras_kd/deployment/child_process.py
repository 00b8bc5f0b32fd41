"""A child process that answers each line with a line, and never outlives its parent or its time."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import IO

from keras_kd.descriptors import reserve_standard_descriptors


class ChildTimeout(Exception):
    """The child did not answer in time, and was ended."""


class Child:
    """Starts a Python process that reads lines and answers each with one line; it should end when stdin does.

    Args:
        arguments: Those of the Python interpreter.
        changes: Changes of the environment.
        stderr: Where its errors go.
    """

    def __init__(self, arguments: Sequence[str], changes: Mapping[str, str], stderr: IO[bytes] | int) -> None:
        reserve_standard_descriptors()
        self._process = subprocess.Popen(
            [sys.executable, "-P", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env={**os.environ, "PYTHONPATH": _import_path(), **changes},
            # A group of its own: Ctrl-C goes to the parent alone, which then ends the child. In the session
            # of the parent, so that the system wakes up a stopped child when the parent is gone.
            process_group=0,
        )
        self._owner = os.getpid()

    @property
    def pid(self) -> int | None:
        """Process id, or `None` if it has ended, or belongs to the process that this one was forked from."""
        if self._owner != os.getpid() or self._process.poll() is not None:
            return None
        return self._process.pid

    def ask(self, line: str, seconds: float) -> str:
        """Send a line and wait for the answer; an empty one means that the child died.

        Raises:
            ChildTimeout: There was no answer in time. The child is dead.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        late = threading.Event()

        def end() -> None:
            late.set()
            self._process.kill()

        timer = threading.Timer(seconds, end)
        timer.daemon = True
        timer.start()
        try:
            self._process.stdin.write(f"{line}\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        finally:
            timer.cancel()
        if late.is_set() and not answer:
            raise ChildTimeout
        return answer

    def wait(self) -> int:
        """Wait for the end of a child that died; return its exit code, negative for a signal."""
        return self._process.wait()

    def close(self) -> None:
        """End the child, whatever it is doing."""
        if self._owner != os.getpid():
            return
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            # Text that a dead child never read cannot be flushed.
            with contextlib.suppress(BrokenPipeError):
                if stream is not None:
                    stream.close()


def signal_text(code: int) -> str:
    """The signal that ended a process with a negative exit code, with its meaning.

    Examples:
        >>> signal_text(-11)
        'SIGSEGV: Segmentation fault'
    """
    return f"{signal.Signals(-code).name}: {signal.strsignal(-code)}"


def seconds_allowed(variable: str, default: float) -> float:
    """The time limit in an environment variable.

    Raises:
        ValueError: It is not a positive number.
    """
    text = os.environ.get(variable, "")
    try:
        seconds = float(text or default)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= threading.TIMEOUT_MAX:
        raise ValueError(
            f"The environment variable {variable} must be a positive number of seconds; received {text!r}."
        )
    return seconds


def _import_path() -> str:
    # The child imports the same packages as the parent, wherever they come from.
    return os.pathsep.join(os.path.abspath(entry) for entry in sys.path)
