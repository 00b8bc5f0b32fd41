"""Writing files completely or not at all, and checking that they can be written before the work begins."""

import contextlib
import errno
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

from keras_kd.descriptors import reserve_standard_descriptors

# What the system says of a file that cannot be written -> why, and what to do.
_REASONS = {
    errno.ENOSPC: "the disk is full. Free some space, or name another folder",
    errno.EDQUOT: "the disk quota is used up. Free some space, or name another folder",
    errno.EFBIG: "it is larger than a file may be here. Raise the limit (ulimit -f), or name another folder",
    errno.EIO: "the disk reports an input/output error. Name another folder, and check the disk",
    errno.EROFS: "the file system is read-only. Name another folder",
    errno.EACCES: "the folder is not writable. Name another one, or change its permissions",
    errno.EPERM: "the folder is not writable. Name another one, or change its permissions",
    errno.ENAMETOOLONG: "the name is too long. Choose a shorter one",
}
# These can only be about what is being written, whichever library reports them.
_ABOUT_WRITING = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}


class WriteError(OSError):
    """A file cannot be written; the message names it, and says why and what to do."""


class WriteDenied(WriteError, PermissionError):
    """A file cannot be written because permission is missing."""


@contextlib.contextmanager
def write_atomically(path: Path) -> Iterator[Path]:
    """Yield a path next to `path` to write to; it is renamed to `path` if the block raises no error.

    A link stays a link, and a file that is replaced keeps its permissions.

    Raises:
        OSError: What `check_writable` finds. A full disk and the like are a `WriteError`.

    Examples:
        >>> from pathlib import Path
        >>> with write_atomically(Path("notes.txt")) as part:
        ...     _ = part.write_text("all of it")
        >>> Path("notes.txt").read_text()
        'all of it'
    """
    reserve_standard_descriptors()
    target, part = _target_and_part(path)
    _check_place(path, target, overwrite=True)
    with explain_write_errors(path, part):
        try:
            yield part
            if target.exists():
                shutil.copymode(target, part)
            os.replace(part, target)
        finally:
            part.unlink(missing_ok=True)


@contextlib.contextmanager
def temporary_folder(inside: Path | None = None) -> Iterator[Path]:
    """Yield a new folder that is removed at the end.

    Args:
        inside: The folder to make it in. Default: where the system keeps temporary files.

    Raises:
        WriteError: The disk that holds temporary files is full.

    Examples:
        >>> with temporary_folder() as folder:
        ...     folder.is_dir()
        True
    """
    reserve_standard_descriptors()
    shared = Path(tempfile.gettempdir())
    hint = "Temporary files go to the folder that the environment variable TMPDIR names."
    with contextlib.ExitStack() as stack:
        with explain_write_errors(shared, hint=hint):
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="keras_kd_", dir=inside))
        stack.enter_context(explain_write_errors(shared, Path(folder), hint=hint))
        yield Path(folder)


@contextlib.contextmanager
def explain_write_errors(path: Path, part: Path | None = None, hint: str = "") -> Iterator[None]:
    """Raise a `WriteError` about `path` for a full disk and the like, whatever library reports it.

    Args:
        path: What is written, as the user named it.
        part: The file or folder that is really written, if it is another one.
        hint: A sentence to add to the message.
    """
    try:
        yield
    except WriteError:
        raise
    except Exception as error:
        number = _error_number(error, part or path)
        if number is None:
            raise
        kept = " The file that was there is unchanged." if part is not None and os.path.isfile(path) else ""
        text = f"{str(path)!r} cannot be written: {_REASONS[number]}.{kept}{f' {hint}' if hint else ''}"
        explained = (WriteDenied if number in (errno.EACCES, errno.EPERM) else WriteError)(text)
        explained.errno = number
        raise explained from error


def check_writable(path: Path, *, overwrite: bool = True, suffixes: Sequence[str] = ()) -> None:
    """Raise an error now if a file cannot be written at `path` later.

    Args:
        path: The file to write.
        overwrite: Whether an existing file, or a link that leads nowhere, may be replaced.
        suffixes: The allowed suffixes, such as `(".html", ".md")`; empty for any.

    Raises:
        ValueError: The suffix is not allowed.
        FileNotFoundError: The folder does not exist.
        NotADirectoryError: It is a file.
        IsADirectoryError: `path` is a folder.
        FileExistsError: The file exists and may not be replaced, or is a device, a pipe or a circular link.
        WriteError: The folder is not writable, or the disk is full.
    """
    if suffixes and path.suffix not in suffixes:
        allowed = " or ".join(filter(None, (", ".join(suffixes[:-1]), suffixes[-1])))
        raise ValueError(f"The path must end in {allowed}. Received: {str(path)!r}.")
    target, trial = _target_and_part(path)
    _check_place(path, target, overwrite)
    # Permission bits do not tell whether a folder is writable; writing does.
    with explain_write_errors(path, trial):
        trial.touch()
        trial.unlink()


def _check_place(path: Path, target: Path, overwrite: bool) -> None:
    """Check a path, and the `target` that it leads to if it is a link, without writing."""
    with explain_write_errors(path, target):
        if not path.parent.is_dir():
            if os.path.lexists(path.parent):
                raise NotADirectoryError(f"{str(path.parent)!r} is not a folder, so nothing can be in it.")
            raise FileNotFoundError(f"The folder {str(path.parent)!r} does not exist; create it first.")
        if path.is_dir():
            raise IsADirectoryError(f"{str(path)!r} is a folder; name a file.")
        _check_existing(path, target, overwrite)


def _check_existing(path: Path, target: Path, overwrite: bool) -> None:
    """Check what is at `path`, and at the `target` that it leads to if it is a link."""
    if os.path.lexists(path) and not overwrite:
        link = "" if path.exists() else f"as a link to {str(target)!r}, which does not"
        raise FileExistsError(
            f"{str(path)!r} exists{link and f', {link}'}; pass overwrite=True to replace it."
        )
    if target.is_symlink():
        raise FileExistsError(f"{str(path)!r} is a link that leads back to itself; name another file.")
    if target.exists() and not target.is_file():
        raise FileExistsError(f"{str(path)!r} is a device or a pipe; name a file.")
    if not target.parent.is_dir():
        raise FileNotFoundError(
            f"{str(path)!r} is a link into the folder {str(target.parent)!r}, which does not exist; "
            "create it first."
        )


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
    try:
        target = Path(os.path.realpath(path))
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{str(path)!r} lies in the current folder, which was deleted; go to another one."
        ) from None
    # The end of the name that was given: its suffix decides the format. All of a long name would be too long.
    return target, target.with_name(f".part-{uuid.uuid4().hex[:12]}-{path.name[-40:]}")


def _error_number(error: BaseException | None, path: Path) -> int | None:
    """The number of the system's error behind an exception, if it is about writing `path`."""
    while error is not None:
        number = error.errno if isinstance(error, OSError) else None
        if number in _ABOUT_WRITING:
            return number
        if number in _REASONS and _concerns(error, path):
            return number
        # TensorFlow and HDF5 pass on the text alone.
        told = next((number for number in _ABOUT_WRITING if os.strerror(number) in str(error)), None)
        if told is not None:
            return told
        error = error.__cause__ or error.__context__
    return None


def _concerns(error: BaseException, path: Path) -> bool:
    """Whether the system's error names a path, what lies in it or what it lies in."""
    names = (getattr(error, "filename", None), getattr(error, "filename2", None))
    named = [Path(os.fsdecode(name)) for name in names if isinstance(name, (str, bytes, os.PathLike))]
    return any(path in (name, *name.parents) or name in path.parents for name in named)
