"""A file of arrays and plain values: written whole or not at all, and read without running anything."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from keras_kd.files import whole

_ARRAY, _PLAIN = "__array__", (bool, int, float, str, type(None))


def storable(value: Any) -> bool:
    """Whether a value is made of numbers, strings, arrays, lists, and dictionaries with string keys."""
    if isinstance(value, dict):
        return all(isinstance(key, str) for key in value) and all(map(storable, value.values()))
    if isinstance(value, (list, tuple)):
        return all(map(storable, value))
    if isinstance(value, (np.ndarray, np.generic)):
        return value.dtype != object
    return isinstance(value, _PLAIN)


def write(path: Path, values: Any) -> None:
    """Write what is `storable` to a `.npz` archive."""
    arrays: list[np.ndarray] = []
    text = json.dumps(_packed(values, arrays))
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as part, part.open("wb") as file:
        named: dict[str, Any] = {str(i): array for i, array in enumerate(arrays)}
        np.savez(file, json=np.frombuffer(text.encode(), "uint8"), **named)


def read(path: Path) -> Any:
    """What `write` has written.

    Raises:
        ValueError: The file is something else.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        return _unpacked(json.loads(arrays["json"].tobytes()), arrays)
    except (OSError, ValueError, KeyError, EOFError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise ValueError(
            f"{path} is no state that kd.FullState has written. Delete it, or name another file."
        ) from error


def _packed(value: Any, arrays: list[np.ndarray]) -> Any:
    if isinstance(value, dict):
        return {key: _packed(inner, arrays) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_packed(inner, arrays) for inner in value]
    if not isinstance(value, (np.ndarray, np.generic)):
        return value
    array = np.asarray(value)
    name = array.dtype.name
    # NumPy's format does not know bfloat16 and the like: their bytes are kept, and their name.
    native = array.dtype.isbuiltin == 1
    arrays.append(array if native else np.ascontiguousarray(array).view(f"uint{8 * array.dtype.itemsize}"))
    return {_ARRAY: [len(arrays) - 1, None if native else name]}


def _unpacked(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    if isinstance(value, list):
        return [_unpacked(inner, arrays) for inner in value]
    if not isinstance(value, dict):
        return value
    if _ARRAY not in value:
        return {key: _unpacked(inner, arrays) for key, inner in value.items()}
    index, name = value[_ARRAY]
    array = arrays[str(index)]
    return array if name is None else array.view(np.dtype(name))
