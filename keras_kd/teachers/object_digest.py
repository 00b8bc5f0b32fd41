"""The digest of what an object holds, such as a fitted estimator: the same after it was stored and loaded."""

import hashlib
import types
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

# How an estimator of scikit-learn works, and not what it answers.
_LEFT_OUT = {"n_jobs", "verbose", "warm_start", "random_state", "_sklearn_version"}
_LEFT_OUT |= {"_tree"}  # of the neighbors' estimators, made of `_fit_X`; it counts how often it was asked
_PLAIN = (type(None), bool, int, float, complex, str, bytes)
_NAMED = (type, types.FunctionType, types.BuiltinFunctionType, np.ufunc)


def object_digest(value: object) -> str:
    """The SHA-256 of an object's state, as pickling would find it: types, names and values, part by part.

    Nothing is pickled. Bytes between the fields of a record, which have any value, are not read.

    Raises:
        TypeError: A part cannot be taken apart, such as an open file.

    Examples:
        >>> object_digest({"a": np.ones(2), "b": [1, 2]}) == object_digest({"b": [1, 2], "a": np.ones(2)})
        True
    """
    return _digest(value, {}).hex()


def _digest(value: Any, known: dict[int, tuple[object, bytes]]) -> bytes:
    """The digest of a part; `known` holds those of parts that were met, and the parts, so that ids last."""
    if isinstance(value, _PLAIN):
        return _hashed(type(value).__name__, [repr(value).encode()])
    if isinstance(value, (np.dtype, np.generic)):
        return _hashed(type(value).__name__, [repr(value).encode()])
    if isinstance(value, _NAMED):
        return _hashed("named", [f"{value.__module__}.{value.__qualname__}".encode()])
    if id(value) not in known:
        known[id(value)] = value, b"above"  # where it holds itself
        known[id(value)] = value, _of_parts(value, known)
    return known[id(value)][1]


def _of_parts(value: Any, known: dict[int, tuple[object, bytes]]) -> bytes:
    kind = type(value).__qualname__
    if isinstance(value, np.ndarray):
        return _of_array(value, known)
    if isinstance(value, Mapping):
        pairs = (
            (_digest(key, known), _digest(part, known)) for key, part in value.items() if key not in _LEFT_OUT
        )
        return _hashed(kind, (key + part for key, part in sorted(pairs)))
    if isinstance(value, (set, frozenset)):
        return _hashed(kind, sorted(_digest(part, known) for part in value))
    if isinstance(value, (list, tuple)):
        return _hashed(kind, (_digest(part, known) for part in value))
    reduced = value.__reduce_ex__(4)
    whole = reduced if isinstance(reduced, str) else [list(p) if _is_iterator(p) else p for p in reduced]
    return _hashed(kind, [_digest(whole, known)])


def _of_array(array: np.ndarray, known: dict[int, tuple[object, bytes]]) -> bytes:
    head = f"{array.shape} {array.dtype}".encode()
    if array.dtype.names:
        return _hashed("record", [head, *(_digest(array[name], known) for name in array.dtype.names)])
    if array.dtype.hasobject:
        return _hashed("objects", [head, *(_digest(part, known) for part in array.ravel().tolist())])
    return _hashed("array", [head, np.ascontiguousarray(array).tobytes()])


def _is_iterator(part: object) -> bool:
    return hasattr(part, "__next__")


def _hashed(kind: str, parts: Iterable[bytes]) -> bytes:
    total = hashlib.sha256(kind.encode())
    for part in parts:
        total.update(hashlib.sha256(part).digest())
    return total.digest()
