"""A run: a folder of finished results that an interrupted job goes on from."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras

from keras_kd.files import write_atomically
from keras_kd.messages import one_line

_SETTINGS = "settings.json"


class Run:
    """A folder in which every file is a finished stage of a job, written whole or not at all.

    A job asks for its results in order. What the folder holds is read, the rest is made, and so a
    job that was interrupted goes on where it stopped.

    Args:
        folder: The folder; it is made if need be.
        settings: What the results depend on, as JSON values. A folder that holds the results of
            other settings is refused.

    Raises:
        FileExistsError: The folder holds another run, or files that are no run.
        OSError: The folder cannot be written.

    Examples:
        >>> import tempfile
        >>> from keras_kd.jobs.runs import Run
        >>> folder = tempfile.mkdtemp()
        >>> Run(folder, {"seed": 1}).figures("accuracy.json", lambda: {"accuracy": 0.9})
        {'accuracy': 0.9}
        >>> Run(folder, {"seed": 1}).figures("accuracy.json", lambda: 1 / 0)
        {'accuracy': 0.9}
    """

    def __init__(self, folder: str | os.PathLike[str], settings: Mapping[str, Any]) -> None:
        self.folder = Path(folder)
        self.settings = json.loads(json.dumps(settings))
        if self.folder.exists() and not self.folder.is_dir():
            raise FileExistsError(f"{self.folder} is a file. Name a folder for the results.")
        self.folder.mkdir(parents=True, exist_ok=True)
        if not os.access(self.folder, os.W_OK):
            raise PermissionError(f"The folder {self.folder} cannot be written. Name another one.")
        self._claim()

    def _claim(self) -> None:
        file = self.folder / _SETTINGS
        if file.exists():
            found, asked = _flat(_read_json(file)), _flat(self.settings)
            keys = dict.fromkeys([*found, *asked])
            differ = {
                key: (found.get(key), asked.get(key)) for key in keys if found.get(key) != asked.get(key)
            }
            if differ:
                each = ", ".join(f"{key} was {old!r}, now {new!r}" for key, (old, new) in differ.items())
                raise FileExistsError(
                    f"{self.folder} holds a run with other settings ({each}). "
                    "Name another folder, or delete it."
                )
            return
        if any(not file.name.startswith(".part-") for file in self.folder.iterdir()):
            raise FileExistsError(f"{self.folder} holds files that are no run. Name an empty or new folder.")
        self.keep(_SETTINGS, self.settings)

    def path(self, name: str) -> Path:
        """Where a result of that name is or will be."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def has(self, name: str) -> bool:
        """Whether that result is finished."""
        return (self.folder / name).exists()

    def model(self, name: str, make: Callable[[], keras.Model]) -> keras.Model:
        """The model in file `name` (`.keras`), made and saved if it is not there."""
        path = self.path(name)
        if not path.exists():
            model = make()
            with write_atomically(path) as part:
                model.save(part)
        try:
            return keras.saving.load_model(path, safe_mode=True)
        except (ValueError, TypeError, OSError) as error:
            raise ValueError(
                f"{path} does not load ({one_line(error)}). Delete it to have it made again."
            ) from error

    def figures(self, name: str, make: Callable[[], Any]) -> Any:
        """The JSON value in file `name`, made and saved if it is not there."""
        path = self.path(name)
        if not path.exists():
            self.keep(name, make())
        return _read_json(path)

    def keep(self, name: str, value: Any) -> None:
        """Write a JSON value to file `name`, over what an interrupted attempt left there."""
        text = json.dumps(value, indent=2) + "\n"
        with write_atomically(self.path(name)) as part:
            part.write_text(text)


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f"{path} is no JSON file ({error}). Delete it to have it made again.") from None


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """`{"recipe": {"epochs": 3}}` as `{"recipe.epochs": 3}`."""
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return flat
