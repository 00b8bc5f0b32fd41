"""Writing files completely or not at all, and checking that they can be written before the work begins."""

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path


@contextlib.contextmanager
def write_atomically(path: Path) -> Iterator[Path]:
    """Yield a path next to `path` to write to; it is renamed to `path` if the block raises no error.

    A link stays a link, and a file that is replaced keeps its permissions.

    Examples:
        >>> from pathlib import Path
        >>> with write_atomically(Path("notes.txt")) as part:
        ...     _ = part.write_text("all of it")
        >>> Path("notes.txt").read_text()
        'all of it'
    """
    target, part = _target_and_part(path)
    try:
        yield part
        if target.exists():
            shutil.copymode(target, part)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


def check_writable(path: Path, *, overwrite: bool = True, suffixes: Sequence[str] = ()) -> None:
    """Raise an error now if a file cannot be written at `path` later.

    Args:
        path: The file to write.
        overwrite: Whether an existing file may be replaced.
        suffixes: The allowed suffixes, such as `(".html", ".md")`; empty for any.

    Raises:
        ValueError: The suffix is not allowed.
        FileNotFoundError: The folder does not exist.
        IsADirectoryError: `path` is a folder.
        FileExistsError: The file exists and may not be replaced.
        OSError: The folder is not writable.
    """
    if suffixes and path.suffix not in suffixes:
        allowed = " or ".join(filter(None, (", ".join(suffixes[:-1]), suffixes[-1])))
        raise ValueError(f"The path must end in {allowed}. Received: {str(path)!r}.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"The folder {str(path.parent)!r} does not exist; create it first.")
    if path.is_dir():
        raise IsADirectoryError(f"{str(path)!r} is a folder; name a file.")
    if path.exists() and not overwrite:
        raise FileExistsError(f"{str(path)!r} exists; pass overwrite=True to replace it.")
    # Permission bits do not tell whether a folder is writable; writing does.
    _, trial = _target_and_part(path)
    trial.touch()
    trial.unlink()


def check_regular(path: Path, expected: str) -> None:
    """Raise an error before a file is opened that cannot be read to its end, as a pipe or a device cannot.

    Args:
        path: The file to read.
        expected: What it should be, for messages: `"a .tflite file"`.

    Raises:
        FileNotFoundError: There is no such file.
        IsADirectoryError: It is a folder.
        OSError: It is a pipe, a socket or a device.
    """
    if path.is_dir():
        raise IsADirectoryError(f"Expected {expected}; {str(path)!r} is a folder.")
    if not path.exists():
        raise FileNotFoundError(f"There is no file {str(path)!r}.")
    if not path.is_file():
        raise OSError(
            f"Expected {expected}; {str(path)!r} is a pipe, a socket or a device. Copy it to a file."
        )


def _target_and_part(path: Path) -> tuple[Path, Path]:
    """The file that a path leads to, and an unused one beside it."""
    target = Path(os.path.realpath(path))
    return target, target.with_name(f".part-{uuid.uuid4().hex[:12]}-{target.name}")
