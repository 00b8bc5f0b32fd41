"""Digests of what files and folders hold."""

import hashlib
import os
from pathlib import Path

from keras_kd.files import check_regular


def file_digest(path: str | os.PathLike[str]) -> str:
    """The SHA-256 of a file as hexadecimal digits.

    Raises:
        OSError: There is no such file, or it is a folder, a pipe or a device.

    Examples:
        >>> Path("empty").touch()
        >>> file_digest("empty")[:8]
        'e3b0c442'
    """
    check_regular(Path(path), "a file")
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def content_digest(source: str | os.PathLike[str]) -> str:
    """The digest of a file, of all files in a folder, or of the name of something that is no path.

    Examples:
        >>> content_digest("tfds:mnist")[:8]
        'ad5ba9b3'
    """
    path = Path(source)
    if path.is_dir():
        names = sorted(each.relative_to(path).as_posix() for each in path.rglob("*") if each.is_file())
        lines = "".join(f"{file_digest(path / name)}  {name}\n" for name in names)
        return hashlib.sha256(lines.encode()).hexdigest()
    if path.exists() or ":" not in str(source):
        return file_digest(path)
    return hashlib.sha256(str(source).encode()).hexdigest()
