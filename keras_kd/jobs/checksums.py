"""The checksums of a run's files, so that damage is found before hours of work are built on it."""

import re
from pathlib import Path

from keras_kd.contents import file_digest
from keras_kd.files import check_regular, write_atomically

FILE = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-f]{64})  (\S+)")


class Checksums:
    """What the files of a folder contained when they were finished, in a file that `sha256sum -c` reads.

    Args:
        folder: The folder.

    Raises:
        ValueError: The file of checksums is damaged.

    Examples:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "notes.txt").write_text("as it was")
        >>> Checksums(folder).record("notes.txt")
        >>> _ = (folder / "notes.txt").write_text("as it is")
        >>> Checksums(folder).changed()
        ['notes.txt']
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._digests: dict[str, str] = {}
        path = folder / FILE
        if path.exists():
            check_regular(path, "a file of checksums")
        for line in path.read_text(errors="replace").splitlines() if path.exists() else ():
            found = _LINE.fullmatch(line)
            if found is None:
                raise ValueError(
                    f"{path} is damaged. Delete it if the other files are as they were; otherwise delete the "
                    "folder, or name another one."
                )
            self._digests[found[2]] = found[1]

    def __getitem__(self, name: str) -> str:
        """The digest of a file that was recorded."""
        return self._digests[name]

    def __contains__(self, name: str) -> bool:
        return name in self._digests

    def changed(self) -> list[str]:
        """The files that are there, and no longer as they were recorded."""
        there = {name: self._folder / name for name in self._digests if (self._folder / name).exists()}
        return [name for name, path in there.items() if file_digest(path) != self._digests[name]]

    def missing(self) -> list[str]:
        """The files that were recorded and are no longer there."""
        return [name for name in self._digests if not (self._folder / name).exists()]

    def record(self, name: str) -> None:
        """Note what a file contains, and forget those that are missing."""
        lost = {*self.missing()} - {name}
        kept = {other: digest for other, digest in self._digests.items() if other not in lost}
        self._write(kept | {name: file_digest(self._folder / name)})

    def forget(self, name: str) -> None:
        """Forget a file that is about to be replaced."""
        if name in self._digests:
            self._write({other: digest for other, digest in self._digests.items() if other != name})

    def _write(self, digests: dict[str, str]) -> None:
        with write_atomically(self._folder / FILE) as part:
            part.write_text("".join(f"{digest}  {name}\n" for name, digest in digests.items()))
        self._digests = digests
