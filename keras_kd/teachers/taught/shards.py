"""A folder of shards: each is whole once its commit is there, and only one process writes at a time."""

import contextlib
import functools
import hashlib
import io
import json
import os
import re
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from keras_kd.files import explain_write_errors, write_atomically

LOCK = "lock"
_COMMIT = re.compile(r"(\d{5,})\.json")
_OPEN = 256  # memory maps, each of which holds a file open


class Ledger:
    """The shards of a folder.

    A shard is a few `.npy` files, `00000.keys.npy` and others, and its commit, `00000.json`, which is
    written last and holds the number of rows and the SHA-256 of each file. What has no commit is not there,
    so a shard is written whole or not at all, on stores without a rename as well, and writing it again
    changes nothing. It knows nothing of who computes what is in it.

    Args:
        folder: The folder.

    Examples:
        >>> import tempfile
        >>> ledger = Ledger(Path(tempfile.mkdtemp()))
        >>> ledger.write(0, {"keys": np.arange(3)})
        >>> ledger.finished(), ledger.array(0, "keys").tolist()
        ({0: 3}, [0, 1, 2])
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def finished(self) -> dict[int, int]:
        """The numbers of the shards that are there, in order -> their rows."""
        names = (path.name for path in self.folder.iterdir()) if self.folder.is_dir() else ()
        numbers = sorted(int(found[1]) for found in map(_COMMIT.fullmatch, names) if found)
        return {number: int(self._commit(number)["rows"]) for number in numbers}

    def write(self, number: int, arrays: Mapping[str, np.ndarray]) -> None:
        """Write a shard, its commit last.

        Args:
            number: Its number.
            arrays: Its arrays by name; the first has an element for each row.

        Raises:
            WriteError: The disk is full, or the like.
        """
        files = {}
        for name, array in arrays.items():
            path = self.folder / f"{number:05}.{name}.npy"
            content = io.BytesIO()  # NumPy does not tell why it cannot write to a file
            np.save(content, array, allow_pickle=False)
            with write_atomically(path) as part:
                part.write_bytes(content.getbuffer())
            digest = hashlib.sha256(content.getbuffer()).hexdigest()
            files[path.name] = {"bytes": len(content.getbuffer()), "sha256": digest}
        unmap()  # what was here before
        rows = len(next(iter(arrays.values())))
        with write_atomically(self.folder / f"{number:05}.json") as part:
            part.write_text(json.dumps({"rows": rows, "files": files}, indent=1) + "\n")

    def array(self, number: int, name: str) -> np.ndarray:
        """An array of a shard, mapped into memory.

        Raises:
            ValueError: It is damaged, and the message names its file.
        """
        path = self.folder / f"{number:05}.{name}.npy"
        try:
            return _mapped(path.absolute())
        except (ValueError, OSError) as error:
            raise self._damaged(number, path.name, f"cannot be read ({error})") from None

    def check(self, number: int) -> None:
        """Raise a `ValueError` that names the file of a shard that is not as it was written."""
        for name, noted in self._commit(number)["files"].items():
            path = self.folder / name
            if not path.is_file():
                raise self._damaged(number, name, "is missing")
            if path.stat().st_size != noted["bytes"] or _sha256(path) != noted["sha256"]:
                raise self._damaged(number, name, "was changed or damaged after it was written")

    def _commit(self, number: int) -> dict[str, Any]:
        name = f"{number:05}.json"
        try:
            commit = json.loads((self.folder / name).read_text())
            if isinstance(commit["rows"], int) and isinstance(commit["files"], dict):
                return dict(commit)
        except (ValueError, KeyError, TypeError, RecursionError):
            pass
        raise self._damaged(number, name, "is not what was written")

    def _damaged(self, number: int, name: str, what: str) -> ValueError:
        return ValueError(
            f"{self.folder / name} {what}. Delete {self.folder / f'{number:05}.json'}, and kd.precompute "
            "makes that shard again."
        )


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Hold the right to write to a folder; the system gives it back when a process dies, however it dies.

    Raises:
        FileExistsError: Another process is writing to it.
    """
    path = folder / LOCK
    with explain_write_errors(folder, path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        _lock(descriptor, folder)
        os.truncate(descriptor, 0)
        os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
        yield
        os.truncate(descriptor, 0)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    import fcntl  # of Unix only

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 200, 0).decode(errors="replace").strip() or "another process"
        raise FileExistsError(
            f"{folder} is being written by {holder}. Wait until it has finished, stop it, or name another "
            "folder."
        ) from None


# Of the whole process: TensorFlow keeps for good what a `tf.numpy_function` refers to, and so every store.
@functools.lru_cache(_OPEN)
def _mapped(path: Path) -> np.ndarray:
    return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))


def unmap() -> None:
    """Close the files that are mapped into memory and not in use."""
    _mapped.cache_clear()


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
