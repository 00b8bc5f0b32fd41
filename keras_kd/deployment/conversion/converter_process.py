"""The parent's handle on the converter process: started once, reused, replaced when it dies.

TensorFlow's converter can crash the process that calls it. It therefore runs in a child process, whose
program is `tflite_converter.py` and which also loads and runs every file it writes before anybody else does.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from keras_kd.deployment.child_process import Child, ChildTimeout, seconds_allowed, signal_text
from keras_kd.deployment.conversion.request import Answer, Request, answer_from_json
from keras_kd.descriptors import reserve_standard_descriptors
from keras_kd.files import temporary_folder

TIMEOUT = "KERAS_KD_CONVERT_TIMEOUT"
_SECONDS = 7200.0
# Garbage collection looks at the half million objects of TensorFlow again and again while they are made.
_PROGRAM = """
import gc
gc.disable()
from keras_kd.deployment.conversion import tflite_converter
tflite_converter.main()
"""
_ENVIRONMENT = {
    "PYTHONWARNINGS": "ignore",
    "CUDA_VISIBLE_DEVICES": "-1",  # conversion needs no GPU, and the parent may hold its memory
    "TF_CPP_MIN_LOG_LEVEL": "1",
}


class ConverterCrashed(Exception):
    """The child died while converting or running a file; the message says how."""


class Converter:
    """A handle on the child process. One conversion at a time; safe to use from threads."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._child: Child | None = None
        self._log: IO[bytes] | None = None
        self._log_read = 0  # bytes of the log that belong to earlier answers
        self._folder: Path | None = None  # the child removes it if this process ends without doing so
        self._owner = 0

    @property
    def pid(self) -> int | None:
        """Process id of the child, or `None` if none is running."""
        return self._child.pid if self._child else None

    def start(self) -> None:
        """Start the child unless it is running. Returns at once, while TensorFlow loads in the child."""
        with self._lock:
            is_mine = self._folder is not None and self._folder.is_dir() and self._owner == os.getpid()
            if self.pid is not None and is_mine:
                return
            self._end_child()
            reserve_standard_descriptors()
            if not is_mine:
                self._folder, self._owner = Path(tempfile.mkdtemp(prefix="keras_kd_")), os.getpid()
            self._log, self._log_read = tempfile.TemporaryFile(), 0  # noqa: SIM115, as long as the child
            self._child = Child(["-c", _PROGRAM, str(self._folder)], _ENVIRONMENT, self._log)

    @contextlib.contextmanager
    def folder(self) -> Iterator[Path]:
        """Start the child and yield a folder for a request, which is removed however this process ends."""
        self.start()
        with temporary_folder(self._folder) as folder:
            yield folder

    def convert(self, request: Request) -> Answer:
        """Send a request to the child and wait for its answer.

        Raises:
            ConverterCrashed: if the child died; the next call starts a new one.
            ChildProcessError: if the child cannot start at all.
            TimeoutError: if it does not answer in time.
            ValueError: if the environment variable of the time limit holds no number of seconds.
        """
        seconds = seconds_allowed(TIMEOUT, _SECONDS)
        with self._lock:
            self.start()
            assert self._child is not None
            assert self._log is not None
            try:
                line = self._child.ask(request.to_json(), seconds)
            except ChildTimeout:
                self._end_child()
                raise TimeoutError(
                    f"The conversion did not end within {seconds:g} s, and was stopped. The environment "
                    f"variable {TIMEOUT} sets the limit in seconds."
                ) from None
            except BaseException:
                # Interrupted: the child is in the middle of something that nobody is waiting for.
                self._end_child()
                raise
            if not line:
                raise self._death()
            self._log_read = os.fstat(self._log.fileno()).st_size
            return answer_from_json(line)

    def close(self) -> None:
        """End the child, whatever it is doing, and remove what is left of its work."""
        with self._lock:
            self._end_child()
            if self._folder is not None and self._owner == os.getpid():
                shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _end_child(self) -> None:
        child, log = self._child, self._log
        self._child, self._log = None, None
        if child is not None:
            child.close()
        if log is not None:
            log.close()

    def _death(self) -> Exception:
        assert self._child is not None
        assert self._log is not None
        code = self._child.wait()
        self._log.seek(self._log_read)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        self._end_child()
        if code < 0:
            return ConverterCrashed(signal_text(code))
        last = lines[-1] if lines else "no output"
        return ChildProcessError(f"The converter process ended with exit code {code}: {last}")


converter = Converter()
atexit.register(converter.close)
