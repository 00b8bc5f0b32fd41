"""Folders on stores that fsspec reaches, with the few methods of `pathlib.Path` that shards need."""

import atexit
import functools
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

from keras_kd.files import write_atomically

Folder: TypeAlias = "Path | RemotePath"


class RemotePath:
    """A file or folder on an object store, or on anything else that fsspec reaches.

    Args:
        system: The file system of fsspec.
        place: The path there.
        scheme: What names the store: `"s3"`.

    Attributes:
        name: The last part of the path.
    """

    def __init__(self, system: Any, place: str, scheme: str) -> None:
        self._system, self._place, self._scheme = system, place.rstrip("/"), scheme
        self.name = self._place.rsplit("/", 1)[-1]

    def __truediv__(self, name: str) -> "RemotePath":
        return RemotePath(self._system, f"{self._place}/{name}", self._scheme)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RemotePath) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))

    def __str__(self) -> str:
        return f"{self._scheme}://{self._place.lstrip('/')}"

    def exists(self) -> bool:
        """Whether there is a file or folder."""
        return bool(self._system.exists(self._place))

    def is_dir(self) -> bool:
        """Whether it is a folder, which object stores have while something is in it."""
        return bool(self._system.isdir(self._place))

    def is_file(self) -> bool:
        """Whether it is a file."""
        return bool(self._system.isfile(self._place))

    def iterdir(self) -> Iterator["RemotePath"]:
        """What is in the folder, as the store has it now."""
        self._system.invalidate_cache()
        for place in self._system.ls(self._place, detail=False):
            yield RemotePath(self._system, place, self._scheme)

    def read_bytes(self) -> bytes:
        """The whole file."""
        return bytes(self._system.cat_file(self._place))

    def read_text(self) -> str:
        """The whole file, as text."""
        return self.read_bytes().decode()

    def write_bytes(self, content: bytes) -> None:
        """Write the whole file, which is there at once on an object store."""
        self._system.pipe_file(self._place, content)

    def unlink(self) -> None:
        """Delete the file."""
        self._system.rm_file(self._place)

    def make(self) -> None:
        """Make the folder, on stores that have them."""
        self._system.makedirs(self._place, exist_ok=True)

    def copied(self) -> Path:
        """A copy of the file as it is now, on this machine, for as long as the process lasts."""
        name = hashlib.sha256(f"{self} {self._system.ukey(self._place)}".encode()).hexdigest()[:16]
        path = _copies() / f"{name}-{self.name}"
        if not path.exists():
            with write_atomically(path) as part:
                self._system.get_file(self._place, os.fspath(part))
        return path


def as_folder(path: "str | os.PathLike[str] | Folder") -> Folder:
    """The folder that a path or address names: `"cache/train"`, `"s3://bucket/train"`, `"memory://train"`.

    Raises:
        TypeError: It is neither.
        ImportError: fsspec, or its part for this store, is not installed.
        ValueError: fsspec knows no such store.

    Examples:
        >>> as_folder("file:///tmp/train")
        PosixPath('/tmp/train')
        >>> str(as_folder("memory://train"))
        'memory://train'
    """
    if isinstance(path, RemotePath):
        return path
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(
            f"`path` is the folder for the teacher's signals, such as 'cache/train'. Received: "
            f"{type(path).__name__}."
        )
    text = os.fspath(path)
    scheme, mark, rest = text.partition("://")
    if not mark:
        return Path(text)
    if scheme in ("file", "local"):
        return Path(rest)
    try:
        import fsspec
    except ImportError as error:
        raise ImportError(
            f"{text!r} is on another store, which needs fsspec: pip install 'keras-kd[stores]'."
        ) from error
    try:
        system, place = fsspec.core.url_to_fs(text)
    except (ValueError, ImportError) as error:
        raise type(error)(f"{text!r} cannot be reached by fsspec: {error}.") from error
    return RemotePath(system, place, scheme)


def write_whole(path: Folder, content: bytes | memoryview) -> None:
    """Write a file, which is there whole or not at all.

    Raises:
        WriteError: The disk is full, or the like.
    """
    if isinstance(path, RemotePath):
        path.write_bytes(bytes(content))
        return
    with write_atomically(path) as part:
        part.write_bytes(content)


@functools.cache
def _copies() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="keras_kd-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
