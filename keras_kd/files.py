"""Files are written whole or not at all."""

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def write_atomically(path: Path) -> Iterator[Path]:
    """Give a place beside `path` to write to; what was written moves to `path` if the block ends well.

    Examples:
        >>> from pathlib import Path
        >>> with write_atomically(Path("notes.txt")) as part:
        ...     _ = part.write_text("all of it")
        >>> Path("notes.txt").read_text()
        'all of it'
    """
    part = path.with_name(f".part-{uuid.uuid4().hex[:12]}-{path.name}")
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
