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

from keras_kd.files import explain_write_errors
from keras_kd.teachers.taught.remote import Folder, RemotePath, write_whole

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
        folder: The folder, here or on another store.

    Examples:
        >>> import tempfile
        >>> ledger = Ledger(Path(tempfile.mkdtemp()))
        >>> ledger.write(0, {"keys": np.arange(3)})
        >>> ledger.finished(), ledger.array(0, "keys").tolist()
        ({0: 3}, [0, 1, 2])
    """

    def __init__(self, folder: Folder) -> None:
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
            write_whole(path, content.getbuffer())
            digest = hashlib.sha256(content.getbuffer()).hexdigest()
            files[path.name] = {"bytes": len(content.getbuffer()), "sha256": digest}
        unmap()  # what was here before
        rows = len(next(iter(arrays.values())))
        commit = json.dumps({"rows": rows, "files": files}, indent=1) + "\n"
        write_whole(self.folder / f"{number:05}.json", commit.encode())

    def array(self, number: int, name: str) -> np.ndarray:
        """An array of a shard, mapped into memory.

        Raises:
            ValueError: It is damaged, and the message names its file.
        """
        path = self.folder / f"{number:05}.{name}.npy"
        try:
            return _mapped(path if isinstance(path, RemotePath) else path.absolute())
        except (ValueError, OSError) as error:
            raise self._damaged(number, path.name, f"cannot be read ({error})") from None

    def check(self, number: int) -> None:
        """Raise a `ValueError` that names the file of a shard that is not as it was written."""
        for name, noted in self._commit(number)["files"].items():
            path = self.folder / name
            if not path.is_file():
                raise self._damaged(number, name, "is missing")
            if _size_and_digest(path) != (noted["bytes"], noted["sha256"]):
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
def writing(folder: Folder, part: tuple[int, int] | None = None) -> Iterator[None]:
    """Hold the right to write to a folder; the system gives it back when a process dies, however it dies.

    Other stores have no such locks: shards are what keeps writers there apart.

    Args:
        folder: The folder.
        part: Which part of how many is written; others write theirs at the same time.

    Raises:
        FileExistsError: Another process is writing to it, or to this part.
    """
    if isinstance(folder, RemotePath):
        yield
    elif part is None:
        with _held(folder, LOCK):
            yield
    else:
        with _held(folder, LOCK, shared=True), _held(folder, f"{LOCK}.{part[0]}-of-{part[1]}"):
            yield


@contextlib.contextmanager
def _held(folder: Path, name: str, shared: bool = False) -> Iterator[None]:
    path = folder / name
    with explain_write_errors(folder, path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        _lock(descriptor, folder, shared)
        os.truncate(descriptor, 0)
        os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
        yield
        os.truncate(descriptor, 0)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path, shared: bool) -> None:
    import fcntl  # of Unix only

    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 200, 0).decode(errors="replace").strip() or "another process"
        raise FileExistsError(
            f"{folder} is being written by {holder}. Wait until it has finished, stop it, or name another "
            "folder."
        ) from None


# Of the whole process: TensorFlow keeps for good what a `tf.numpy_function` refers to, and so every store.
@functools.lru_cache(_OPEN)
def _mapped(path: Folder) -> np.ndarray:
    return np.asarray(np.load(_here(path), mmap_mode="r", allow_pickle=False))


def unmap() -> None:
    """Close the files that are mapped into memory and not in use."""
    _mapped.cache_clear()


def _here(path: Folder) -> Path:
    return path.copied() if isinstance(path, RemotePath) else path


def _size_and_digest(path: Folder) -> tuple[int, str]:
    here = _here(path)
    with open(here, "rb") as file:
        return here.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()
