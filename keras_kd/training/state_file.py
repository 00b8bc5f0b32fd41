"""A file of arrays and plain values: written whole or not at all, and read without running anything."""

import json
import uuid
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from keras_kd.files import write_atomically

_ARRAY, _OTHER, _PLAIN = "__array__", "__other__", (bool, int, float, str, type(None))


def storable(value: Any) -> bool:
    """Whether a value is made of numbers, strings, arrays, lists, tuples, sets and dictionaries."""
    if isinstance(value, dict):
        return all(isinstance(key, (str, int, float, tuple)) for key in value) and _all(value.values(), value)
    if isinstance(value, (list, tuple, set)):
        return _all(value)
    if isinstance(value, (np.ndarray, np.generic)):
        return value.dtype != object
    return isinstance(value, _PLAIN)


def _all(*collections: Any) -> bool:
    return all(storable(value) for collection in collections for value in collection)


def check_place(path: Path) -> None:
    """Raise an `OSError` now if nothing can be written there later."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder, and a file is to be written there.")
    tried = path.with_name(f".tried-{uuid.uuid4().hex[:12]}")
    tried.touch()
    tried.unlink()


def write(path: Path, values: Any) -> None:
    """Write what is `storable` to a `.npz` archive."""
    arrays: list[np.ndarray] = []
    text = json.dumps(_packed(values, arrays))
    path.parent.mkdir(parents=True, exist_ok=True)
    named: dict[str, Any] = {str(i): array for i, array in enumerate(arrays)}
    with write_atomically(path) as part, part.open("wb") as file:
        np.savez(file, json=np.frombuffer(text.encode(), "uint8"), **named)


def read(path: Path, keys: Iterable[str] = ()) -> Any:
    """What `write` has written, a dictionary with at least these keys.

    Raises:
        OSError: The file cannot be read.
        ValueError: The file is something else.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        values = _unpacked(json.loads(arrays["json"].tobytes()), arrays)
        return values | {key: values[key] for key in keys}
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        EOFError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise ValueError(
            f"{path} is no state that kd.FullState has written. Delete it, or name another file."
        ) from error


def _packed(value: Any, arrays: list[np.ndarray]) -> Any:
    if isinstance(value, dict):
        if all(isinstance(key, str) for key in value):
            return {key: _packed(inner, arrays) for key, inner in value.items()}
        return {_OTHER: ["dict", _packed([list(item) for item in value.items()], arrays)]}
    if isinstance(value, list):
        return [_packed(inner, arrays) for inner in value]
    if isinstance(value, (tuple, set)):
        return {_OTHER: [type(value).__name__, _packed(list(value), arrays)]}
    if not isinstance(value, (np.ndarray, np.generic)):
        return value
    array = np.asarray(value)
    # NumPy's format does not know bfloat16 and the like: their bytes are kept, and their name.
    native = array.dtype.isbuiltin == 1
    arrays.append(array if native else np.ascontiguousarray(array).view(f"uint{8 * array.dtype.itemsize}"))
    return {_ARRAY: [len(arrays) - 1, None if native else array.dtype.name]}


def _unpacked(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    if isinstance(value, list):
        return [_unpacked(inner, arrays) for inner in value]
    if not isinstance(value, dict):
        return value
    if _OTHER in value:
        kind, items = value[_OTHER]
        return {"dict": dict, "tuple": tuple, "set": set}[kind](_unpacked(items, arrays))
    if _ARRAY not in value:
        return {key: _unpacked(inner, arrays) for key, inner in value.items()}
    index, name = value[_ARRAY]
    array = arrays[str(index)]
    return array if name is None else array.view(np.dtype(name))
