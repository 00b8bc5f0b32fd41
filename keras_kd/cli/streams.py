"""Standard output and error of a command: they outlive their readers, and print no control characters."""

import contextlib
import errno
import io
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
    """A standard stream that drops what cannot be written: its reader is gone, or the disk is full."""

    lost = False

    def write(self, data: "ReadableBuffer", /) -> int:
        if not self.lost:
            try:
                return super().write(data) or 0
            except OSError as error:
                self.lost = True
                self.end(error)
        return memoryview(data).nbytes

    def end(self, error: OSError) -> None:
        """Nothing depends on what is written to standard error."""


class _Result(_Descriptor):
    """Standard output, without which a command has failed."""

    def end(self, error: OSError) -> None:
        if error.errno == errno.EPIPE:  # `| head -1` has read enough
            raise SystemExit(BROKEN_PIPE) from None
        sys.stderr.write(f"Error: The result cannot be written to standard output: {error.strerror}.\n")
        raise SystemExit(1) from None


class _Text(io.TextIOWrapper):
    """A text stream that escapes control characters."""

    # Where rich draws instead, whose texts were escaped before it styles them. It looks for this name.
    rich_proxied_file: io.TextIOWrapper

    def write(self, text: str, /) -> int:
        super().write(printable(text))
        return len(text)


@contextlib.contextmanager
def standard_streams() -> Iterator[None]:
    """Replace standard output and error, whatever state they are in, and put them back at the end."""
    reserve_standard_descriptors()
    before = sys.stdout, sys.stderr
    encodings = [getattr(stream, "encoding", None) or "utf-8" for stream in before]
    result = io.BufferedWriter(_Result(1, "w", closefd=False))
    messages = io.BufferedWriter(_Descriptor(2, "w", closefd=False))
    stderr = _Text(messages, encodings[1], "backslashreplace", line_buffering=True)
    stderr.rich_proxied_file = io.TextIOWrapper(messages, encodings[1], "backslashreplace")
    sys.stdout = _Text(result, encodings[0], "backslashreplace", line_buffering=result.isatty())
    sys.stderr = stderr
    try:
        yield
    finally:
        try:
            sys.stdout.flush()
        finally:
            sys.stdout, sys.stderr = before
