"""Folders that results go to: what can be said of one before the work begins."""

import contextlib
import os
import uuid
from pathlib import Path

from keras_kd.files import WriteError, check_writable, explain_write_errors


def check_folder(folder: Path, purpose: str = "the results") -> None:
    """Raise an error now if a folder cannot be made, or nothing can be written to it, later.

    Nothing is left behind.

    Args:
        folder: The folder, which may not be there.
        purpose: What it is for, for messages.

    Raises:
        FileExistsError: It is a file, or a link that leads nowhere.
        WriteError: It cannot be made, or is not writable.

    Examples:
        >>> Path("notes.txt").touch()
        >>> check_folder(Path("notes.txt"))
        Traceback (most recent call last):
        FileExistsError: notes.txt is a file. Name a folder for the results.
    """
    # Of os.path: a name that is too long is no error yet.
    is_there = os.path.exists(folder)
    if is_there and not folder.is_dir():
        raise FileExistsError(f"{folder} is a file. Name a folder for {purpose}.")
    if os.path.islink(folder) and not is_there:
        raise FileExistsError(f"{folder} is a link that leads nowhere. Name a folder for {purpose}.")
    with explain_write_errors(folder):
        if is_there:
            check_writable(folder / uuid.uuid4().hex)
            return
        try:
            _try_to_make(folder)
        except PermissionError:
            raise
        except OSError as error:
            raise WriteError(
                f"The folder {str(folder)!r} cannot be made: {error.strerror}. Name another one for "
                f"{purpose}."
            ) from error


def _try_to_make(folder: Path) -> None:
    """Make a folder, and those that it is to lie in, and take them away again."""
    missing = [path for path in (folder, *folder.parents) if not os.path.lexists(path)]
    made: list[Path] = []
    try:
        for path in reversed(missing):
            path.mkdir()
            made.append(path)
    finally:
        for path in reversed(made):
            with contextlib.suppress(OSError):  # another process has begun to use it
                path.rmdir()
