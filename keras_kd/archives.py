"""Zip archives (`.npz`, `.keras`): checked whole before anything in them is used."""

import zipfile
from collections import Counter
from pathlib import Path

import numpy as np

from keras_kd.messages import one_line

# Bytes of the record at the end of an archive, and of the comment that may follow.
_END, _LONGEST_COMMENT = 22, 2**16 - 1
_MOST_STATED = 2**16 - 1  # files, in this record; it says so of larger archives, too


class DamagedArchive(ValueError):
    """An archive that cannot be read; the message says why, without its path."""


def check_archive(path: Path) -> None:
    """Compare every file in a zip archive with its checksum.

    A library that reads a part of a file does not notice that the part was changed.

    Raises:
        DamagedArchive: It is not a complete zip archive, or something in it was changed.

    Examples:
        >>> np.savez("a.npz", x=np.ones(3))
        >>> check_archive(Path("a.npz"))
    """
    try:
        with zipfile.ZipFile(path) as archive:
            repeated = [name for name, count in Counter(archive.namelist()).items() if count > 1]
            changed, found = archive.testzip(), len(archive.infolist())
    except Exception as error:  # of zipfile, zlib and others, wherever they notice that a file is damaged
        raise DamagedArchive(one_line(error)) from error
    if min(found, _MOST_STATED) != _stated_entries(path):
        raise DamagedArchive("its list of files is incomplete")
    if repeated:
        raise DamagedArchive(f"it holds {repeated[0]!r} more than once")
    if changed is not None:
        raise DamagedArchive(f"{changed!r} in it was changed after it was written")


def _stated_entries(path: Path) -> int:
    """How many files an archive says that it holds; `zipfile` lists what it finds."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _END - _LONGEST_COMMENT))
        content = file.read()
    end = content[content.rindex(b"PK\5\6") :]
    return int.from_bytes(end[10:12], "little")


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """All arrays of a `.npz` file. Nothing is unpickled.

    Raises:
        OSError: The file cannot be read.
        DamagedArchive: It does not hold plain arrays alone.

    Examples:
        >>> np.savez("a.npz", x=np.ones(3))
        >>> read_arrays(Path("a.npz"))
        {'x': array([1., 1., 1.])}
    """
    with path.open("rb"):  # missing or unreadable is another error than damaged
        check_archive(path)
    try:
        with np.load(path, allow_pickle=False) as file:
            names, arrays = file.files, {name: file[name] for name in file.files}
    except Exception as error:  # NumPy raises a dozen types for headers that make no sense
        raise DamagedArchive(one_line(error)) from error
    if len(arrays) < len(names):
        raise DamagedArchive("it holds two arrays of the same name")
    other = [name for name, array in arrays.items() if not isinstance(array, np.ndarray)]
    if other:
        raise DamagedArchive(f"{other[0]!r} in it is not an array")
    return arrays
