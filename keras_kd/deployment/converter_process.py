"""The parent's handle on the converter process: started once, reused, replaced when it dies.

TensorFlow's converter can crash the process that calls it. It therefore runs in a child process, whose
program is `tflite_converter.py` and which also loads and runs every file it writes before anybody else does.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
from typing import IO

from keras_kd.deployment.request import Answer, Request, answer_from_json
from keras_kd.descriptors import reserve_standard_descriptors


class ConverterCrashed(Exception):
    """The child died while converting or running a file; the message says how."""


class Converter:
    """A handle on the child process. One conversion at a time; safe to use from threads."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._process: subprocess.Popen[str] | None = None
        self._log: IO[bytes] | None = None
        self._owner = 0
        self._log_read = 0  # bytes of the log that belong to earlier answers

    @property
    def pid(self) -> int | None:
        """Process id of the child, or `None` if none is running."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        """Start the child unless it is running. Returns at once, while TensorFlow loads in the child."""
        with self._lock:
            if self.pid is not None and self._owner == os.getpid():
                return
            if self._owner == os.getpid():
                self.close()
            reserve_standard_descriptors()
            self._log = tempfile.TemporaryFile()  # noqa: SIM115, it lives as long as the child
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "keras_kd.deployment.tflite_converter"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                text=True,
                env=_environment(),
                # Ctrl-C goes to the parent alone, which then ends the child.
                start_new_session=True,
            )
            self._owner, self._log_read = os.getpid(), 0

    def convert(self, request: Request) -> Answer:
        """Send a request to the child and wait for its answer.

        Raises:
            ConverterCrashed: if the child died; the next call starts a new one.
            ChildProcessError: if the child cannot start at all.
        """
        with self._lock:
            self.start()
            assert self._process is not None
            assert self._log is not None
            try:
                line = self._exchange(self._process, request.to_json())
            except BaseException:
                # Interrupted: the child is in the middle of something that nobody is waiting for.
                self.close()
                raise
            if not line:
                raise self._death()
            self._log_read = os.fstat(self._log.fileno()).st_size
            return answer_from_json(line)

    def close(self) -> None:
        """End the child, whatever it is doing."""
        with self._lock:
            process, log = self._process, self._log
            self._process, self._log = None, None
            if process is None or self._owner != os.getpid():
                return
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout, log):
                # Text that a dead child never read cannot be flushed.
                with contextlib.suppress(BrokenPipeError):
                    if stream is not None:
                        stream.close()

    @staticmethod
    def _exchange(process: subprocess.Popen[str], request: str) -> str:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(request + "\n")
            process.stdin.flush()
        except BrokenPipeError:
            return ""
        return process.stdout.readline()

    def _death(self) -> Exception:
        assert self._process is not None
        assert self._log is not None
        code = self._process.wait()
        self._log.seek(self._log_read)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        self.close()
        if code < 0:
            return ConverterCrashed(f"{signal.Signals(-code).name}: {signal.strsignal(-code)}")
        last = lines[-1] if lines else "no output"
        return ChildProcessError(f"The converter process ended with exit code {code}: {last}")


def _environment() -> dict[str, str]:
    # The child imports the same packages as the parent, wherever they come from.
    paths = [os.path.abspath(entry) for entry in sys.path]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONWARNINGS": "ignore",
        "CUDA_VISIBLE_DEVICES": "-1",  # conversion needs no GPU, and the parent may hold its memory
        "TF_CPP_MIN_LOG_LEVEL": "1",
    }


converter = Converter()
atexit.register(converter.close)
