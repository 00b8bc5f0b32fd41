"""A run: a folder of finished stages, from which an interrupted job resumes."""

import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from keras_kd.files import check_regular, check_writable, explain_write_errors, write_atomically
from keras_kd.folders import check_folder
from keras_kd.jobs.checksums import FILE as CHECKSUMS
from keras_kd.jobs.checksums import Checksums

if TYPE_CHECKING:
    import keras

Json: TypeAlias = dict[str, Any] | list[Any] | str | float | bool | None

SETTINGS = "settings.json"


class Run:
    """A folder in which every file is a finished stage of a job, written completely or not at all.

    A job asks for its results in order. Those that the folder contains are loaded, the others are computed,
    so that an interrupted job resumes where it stopped. The folder's `SHA256SUMS` records what was written; a
    file that was changed since is found before anything is computed.

    Args:
        folder: The folder; it is created if it does not exist.
        settings: What the results depend on, as JSON values. A folder that contains results with other
            settings is rejected.

    Raises:
        FileExistsError: The folder contains another run, or files of something else.
        ValueError: A file in it was changed after it was written.
        OSError: The folder is not writable.

    Examples:
        >>> import tempfile
        >>> from keras_kd.jobs.runs import Run
        >>> folder = tempfile.mkdtemp()
        >>> Run(folder, {"seed": 1}).figures("accuracy.json", lambda: {"accuracy": 0.9})
        {'accuracy': 0.9}
        >>> Run(folder, {"seed": 1}).figures("accuracy.json", lambda: 1 / 0)
        {'accuracy': 0.9}
    """

    def __init__(self, folder: str | os.PathLike[str], settings: Mapping[str, Json]) -> None:
        self.folder = Path(folder)
        self.settings = json.loads(json.dumps(settings))
        with explain_write_errors(self.folder):
            check_folder(self.folder)
            self.folder.mkdir(parents=True, exist_ok=True)
        check_writable(self.folder / SETTINGS)
        self._checksums = Checksums(self.folder)
        check_unchanged(self.folder)
        if not holds_run(self.folder, self.settings):
            self.keep(SETTINGS, self.settings)

    def renew(self, settings: Mapping[str, Json]) -> None:
        """Give the run other settings, in which what it holds is a part.

        Its report is made again; the earlier one stays as `report-before.html`, `.md` and `.json`.
        """
        for suffix in ("html", "md", "json"):  # before the settings: it would pass for a report of them
            self.set_aside(f"report.{suffix}")
        self.settings = json.loads(json.dumps(settings))
        self.keep(SETTINGS, self.settings)

    def path(self, name: str) -> Path:
        """Where the result with that name is or will be."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def has(self, name: str) -> bool:
        """Whether that result is finished."""
        return (self.folder / name).exists()

    def wrote(self, name: str) -> bool:
        """Whether a file that is there is a result of this run, and not one of the user's."""
        return name in self._checksums and self.has(name)

    def set_aside(self, name: str) -> str:
        """Rename a result that is no longer one, if it is there, and return its new name."""
        stem, _, suffix = name.partition(".")
        renamed = f"{stem}-before.{suffix}"
        if self.has(name):
            self._checksums.forget(name)
            (self.folder / name).replace(self.folder / renamed)
        return renamed

    def is_whole(self) -> bool:
        """Whether no result was lost after it was finished."""
        return not self._checksums.missing()

    def record(self, name: str) -> None:
        """Note that a file which something else wrote is finished."""
        self._checksums.record(name)

    def discard(self, name: str) -> None:
        """Delete a result, if there is one, because it is about to be made again."""
        self._checksums.forget(name)
        self.path(name).unlink(missing_ok=True)

    def discard_matching(self, pattern: str) -> None:
        """Delete the results whose names match a pattern of `Path.glob`."""
        for path in self.folder.glob(pattern):
            self.discard(path.relative_to(self.folder).as_posix())

    def digest(self, name: str) -> str:
        """The SHA-256 of a finished result, to note what another one was made from."""
        if name not in self._checksums:  # interrupted before it was noted, or made by an earlier version
            self._checksums.record(name)
        return self._checksums[name]

    def model(self, name: str, make: "Callable[[], keras.Model]") -> "keras.Model":
        """The model in file `name` (`.keras`), made and saved if it is not there."""
        from keras_kd.model_files import load_model  # Keras waits until the folder is known to be fine

        path = self.path(name)
        if not path.exists():
            model = make()
            with write_atomically(path) as part:
                model.save(part)
            self.record(name)
        try:
            return load_model(path, compile=False)
        except ValueError as error:
            raise ValueError(f"{str(error).rstrip('.')}. Delete the file to have it made again.") from error

    def figures(self, name: str, make: Callable[[], Json], keys: Iterable[str] | None = None) -> Any:
        """The JSON value in file `name`, with these keys if given, computed and saved if it is not there."""
        path = self.path(name)
        if not path.exists():
            self.keep(name, make())
        return _read_json(path, keys)

    def keep(self, name: str, value: Json) -> None:
        """Write a JSON value to file `name`, replacing what an interrupted attempt may have left."""
        text = json.dumps(value, indent=2) + "\n"
        self._checksums.forget(name)
        with write_atomically(self.path(name)) as part:
            part.write_text(text)
        self.record(name)


def check_unchanged(folder: Path) -> None:
    """Check that the files of a run are as they were written.

    Raises:
        ValueError: One was changed.
    """
    changed = Checksums(folder).changed()
    if SETTINGS in changed:
        raise ValueError(
            f"{folder / SETTINGS} was changed after it was written, so it is not known what the "
            "results were made with. Put it back, or name another folder."
        )
    if changed:
        names = ", ".join(str(folder / name) for name in changed)
        raise ValueError(
            f"{names}: changed or damaged after it was written ({folder / CHECKSUMS} tells). Delete "
            "the file to have it made again."
        )


def holds_run(folder: Path, settings: Mapping[str, Json]) -> bool:
    """Whether a folder holds a run with these settings; `False` if it is empty.

    Args:
        folder: The folder, which may not be there.
        settings: The settings, with the types that JSON has.

    Raises:
        FileExistsError: It holds a run with other settings, or files of something else.
        ValueError: The settings in it cannot be read.
    """
    file = folder / SETTINGS
    if file.exists():
        old, new = _flat(_read_json(file, keys=())), _flat(settings)
        keys = [key for key in dict.fromkeys([*old, *new]) if old.get(key) != new.get(key)]
        if keys:
            each = ", ".join(f"{key} was {old.get(key)!r}, now {new.get(key)!r}" for key in keys)
            raise FileExistsError(
                f"{folder} holds a run with other settings ({each}). Name another folder, or delete it."
            )
        return True
    others = folder.iterdir() if folder.exists() else ()
    if any(not other.name.startswith(".part-") and other.name != CHECKSUMS for other in others):
        raise FileExistsError(f"{folder} holds files that are not from a run. Name an empty or new folder.")
    return False


def _read_json(path: Path, keys: Iterable[str] | None = None) -> Any:
    check_regular(path, "a file in JSON")
    try:
        value = json.loads(path.read_text())
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"{path} is not valid JSON ({error}). Delete the file to have it made again."
        ) from None
    if keys is not None and not (isinstance(value, dict) and value.keys() >= set(keys)):
        raise ValueError(f"{path} does not hold what was written. Delete the file to have it made again.")
    return value


def _flat(settings: Mapping[str, Json], prefix: str = "") -> dict[str, Any]:
    """`{"recipe": {"epochs": 3}}` as `{"recipe.epochs": 3}`."""
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return flat
