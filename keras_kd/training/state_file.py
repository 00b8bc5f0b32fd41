"""A file of arrays and plain values: written atomically, and read without executing code."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from keras_kd.archives import read_arrays
from keras_kd.files import check_writable, write_atomically

_ARRAY, _OTHER, _PLAIN = "__array__", "__other__", (bool, int, float, str, type(None))
# What is raised for a file that is damaged or something else: a `DamagedArchive` is a ValueError.
_MALFORMED = ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError


def is_storable(value: object) -> bool:
    """Whether a value consists of numbers, strings, arrays, lists, tuples, sets and dictionaries.

    Examples:
        >>> is_storable({"steps": [1, 2.5], "mask": np.ones(3)}), is_storable({"call": print})
        (True, False)
    """
    if isinstance(value, dict):
        return all(isinstance(key, (str, int, float, tuple)) for key in value) and _all(value.values(), value)
    if isinstance(value, (list, tuple, set)):
        return _all(value)
    if isinstance(value, (np.ndarray, np.generic)):
        return value.dtype != object
    return isinstance(value, _PLAIN)


def _all(*collections: Iterable[object]) -> bool:
    return all(is_storable(value) for collection in collections for value in collection)


def prepare_path(path: Path) -> None:
    """Create the folder of a file, and raise an `OSError` early if the file could not be written later."""
    path.parent.mkdir(parents=True, exist_ok=True)
    check_writable(path)


def write_state(path: Path, values: object) -> None:
    """Write values that are storable (see `is_storable`) to a `.npz` archive."""
    arrays: list[np.ndarray] = []
    text = json.dumps(_packed(values, arrays))
    path.parent.mkdir(parents=True, exist_ok=True)
    named: dict[str, Any] = {str(i): array for i, array in enumerate(arrays)}
    with write_atomically(path) as part, part.open("wb") as file:
        np.savez(file, json=np.frombuffer(text.encode(), "uint8"), **named)


def read_state(path: Path, keys: Iterable[str] = ()) -> Any:
    """Read what `write_state` has written, a dictionary with at least these keys.

    Raises:
        OSError: The file cannot be read.
        ValueError: The file is something else.
    """
    try:
        arrays = read_arrays(path)
        values = _unpacked(json.loads(arrays["json"].tobytes()), arrays)
        return values | {key: values[key] for key in keys}
    except _MALFORMED as error:
        raise ValueError(
            f"{path} is not a checkpoint written by kd.FullState, or it is damaged. Delete it, or choose "
            "another path."
        ) from error


def _packed(value: object, arrays: list[np.ndarray]) -> Any:
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
    # NumPy's format does not support bfloat16 and the like: their bytes are stored, and their name.
    native = array.dtype.isbuiltin == 1
    arrays.append(array if native else np.ascontiguousarray(array).view(f"uint{8 * array.dtype.itemsize}"))
    return {_ARRAY: [len(arrays) - 1, None if native else array.dtype.name]}


def _unpacked(value: object, arrays: dict[str, np.ndarray]) -> Any:
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
