"""Standard output and error of a command: they survive a reader that is gone, and print no control characters."""

import contextlib
import errno
import io
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from keras_kd.descriptors import reserve_standard_descriptors
from keras_kd.messages import printable

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

# What a shell reports for a program that the system ended because nobody reads its output.
BROKEN_PIPE = 128 + 13


class _Descriptor(io.FileIO):
    """Standard output or error: what cannot be written is dropped, and for standard output ends the command."""

    lost = False

    def write(self, data: "ReadableBuffer", /) -> int | None:
        if not self.lost:
            try:
                return super().write(data)
            except OSError as error:
                self.lost = True
                if self.fileno() == 1:
                    _end(error)
        return memoryview(data).nbytes


def _end(error: OSError) -> None:
    """End the command: its result cannot be delivered."""
    if error.errno == errno.EPIPE:  # `| head -1` has read enough
        raise SystemExit(BROKEN_PIPE) from None
    sys.stderr.write(f"Error: The result cannot be written to standard output: {error.strerror}.\n")
    raise SystemExit(1) from None


class _Text(io.TextIOWrapper):
    """A text stream that escapes control characters."""

    def write(self, text: str, /) -> int:
        super().write(printable(text))
        return len(text)


@contextlib.contextmanager
def standard_streams() -> Iterator[io.TextIOWrapper]:
    """Replace standard output and error, whatever state they are in, and put them back at the end.

    Yields:
        Standard error without the escaping, for what draws on a terminal.
    """
    reserve_standard_descriptors()
    before = sys.stdout, sys.stderr
    encodings = [getattr(stream, "encoding", None) or "utf-8" for stream in before]
    buffers = [io.BufferedWriter(_Descriptor(number, "w", closefd=False)) for number in (1, 2)]
    terminal = io.TextIOWrapper(buffers[1], encodings[1], "backslashreplace", write_through=True)
    sys.stdout = _Text(buffers[0], encodings[0], "backslashreplace", line_buffering=os.isatty(1))
    sys.stderr = _Text(buffers[1], encodings[1], "backslashreplace", write_through=True)
    try:
        yield terminal
    finally:
        try:
            sys.stdout.flush()
        finally:
            sys.stdout, sys.stderr = before
