"""Unknown files are tried in a child process first, because a damaged one can end the process that opens it.

What came of a trial is remembered by the digest of the contents, as are files that `export` wrote and ran.
"""

from __future__ import annotations

import atexit
import json
import subprocess
import threading
from pathlib import Path

from keras_kd.deployment.child_process import Child, ChildTimeout, seconds_allowed, signal_text
from keras_kd.deployment.opening.tflite_trial import load

TIMEOUT = "KERAS_KD_OPEN_TIMEOUT"
_SECONDS = 300.0
# A stand-in for the package, whose own __init__ loads TensorFlow.
_PROGRAM = f"""
import sys, types
package = sys.modules["keras_kd"] = types.ModuleType("keras_kd")
package.__path__ = [{str(Path(__file__).parents[2])!r}]
from keras_kd.deployment.opening.tflite_trial import main
main()
"""


class Trials:
    """A handle on the child process that tries files. Safe to use from threads."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._child: Child | None = None
        self._is_fresh = True  # whether the child has not opened anything yet
        self._faults: dict[str, str | None] = {}  # of the files that are known, by digest

    @property
    def pid(self) -> int | None:
        """Process id of the child, or `None` if none is running."""
        return self._child.pid if self._child else None

    def remember_good(self, path: Path) -> None:
        """Remember that a file, which was written and run by a child of this process, can be opened."""
        self._faults[load(path)[1]] = None

    def fault_of(self, path: Path, digest: str) -> str | None:
        """What is wrong with a file, or `None`.

        Args:
            path: The file.
            digest: That of its contents.

        Raises:
            TimeoutError: if the trial takes too long.
            OSError: if the file cannot be read, or changes at this moment.
            ValueError: if the environment variable of the time limit holds no number of seconds.
        """
        with self._lock:
            if digest not in self._faults:
                self._faults[digest] = self._try(path, digest)
            return self._faults[digest]

    def close(self) -> None:
        """End the child, whatever it is doing."""
        with self._lock:
            child, self._child = self._child, None
            if child is not None:
                child.close()

    def _try(self, path: Path, digest: str) -> str | None:
        answer = self._ask(path)
        if not answer and not self._is_fresh:
            # What an earlier file has done to the memory of the child is not the fault of this one.
            self._end()
            answer = self._ask(path)
        if not answer:
            return f"LiteRT crashes when it opens or runs it ({self._end()})"
        self._is_fresh = False
        examined, fault, error = json.loads(answer)
        if error or examined != digest:
            raise OSError(error or f"{str(path)!r} is being written: open it when it is complete.")
        return fault

    def _ask(self, path: Path) -> str:
        """The answer of the child, which is started unless it is running; empty if it died."""
        seconds = seconds_allowed(TIMEOUT, _SECONDS)
        if self.pid is None:
            self.close()
            self._child = Child(["-c", _PROGRAM], {}, subprocess.DEVNULL)
            self._is_fresh = True
        assert self._child is not None
        try:
            return self._child.ask(json.dumps(str(path.absolute())), seconds)
        except ChildTimeout:
            self.close()
            raise TimeoutError(
                f"LiteRT does not open and run {str(path)!r} within {seconds:g} s: it is damaged, or very "
                f"slow to run. The environment variable {TIMEOUT} sets the limit in seconds."
            ) from None
        except BaseException:
            self.close()  # interrupted, while it is in the middle of something
            raise

    def _end(self) -> str:
        """How the child died."""
        assert self._child is not None
        code = self._child.wait()
        self.close()
        return signal_text(code) if code < 0 else f"exit code {code}"


trials = Trials()
atexit.register(trials.close)
