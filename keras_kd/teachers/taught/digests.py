"""What tells samples apart: digests of their contents, keys, and seeds drawn from them."""

import hashlib
from collections.abc import Sequence

import numpy as np

_LENGTH = 8  # bytes


def digests(leaves: Sequence[np.ndarray], free: Sequence[bool] | None = None) -> np.ndarray:
    """A digest of each sample of a batch: the same in any order, batch and process.

    Args:
        leaves: The arrays of a batch, each `(samples, ...)`, of numbers or of strings.
        free: Whether the second axis of each has any length; then zeros at its end are padding, which
            differs from batch to batch, and are left out. Default: it has not.

    Returns:
        `(samples,)` in uint64: BLAKE2b of the bytes, types and shapes.

    Examples:
        >>> batch = np.arange(6.0).reshape(3, 2)
        >>> bool((digests([batch])[::-1] == digests([batch[::-1]])).all())
        True
        >>> short, padded = np.array([[1, 2]]), np.array([[1, 2, 0]])
        >>> bool((digests([short], [True]) == digests([padded], [True])).all())
        True
    """
    flags = free or [False] * len(leaves)
    kinds = [_kind(leaf, is_free) for leaf, is_free in zip(leaves, flags, strict=True)]
    start = hashlib.blake2b(repr(kinds).encode(), digest_size=_LENGTH)
    rows = [_rows(leaf, is_free) for leaf, is_free in zip(leaves, flags, strict=True)]
    found = bytearray()
    for parts in zip(*rows, strict=True):
        digest = start.copy()
        for part, is_free in zip(parts, flags, strict=True):
            if is_free:
                digest.update(len(part).to_bytes(8, "little"))
            digest.update(part)
        found += digest.digest()
    return np.frombuffer(bytes(found), "<u8")


def as_keys(values: np.ndarray) -> np.ndarray:
    """Keys of a user, whole numbers or strings, as uint64.

    Raises:
        TypeError: They are something else.
        ValueError: There is not one for each sample.

    Examples:
        >>> as_keys(np.array([7, 8])).tolist()
        [7, 8]
    """
    array = np.asarray(values)
    if array.ndim != 1:
        raise ValueError(
            f"`key` gives one key for each sample, an array (samples,). Received the shape {array.shape}."
        )
    if array.dtype.kind in "iu":
        return array.astype(np.int64 if array.dtype.kind == "i" else np.uint64).view(np.uint64)
    if array.dtype.kind in "OSU":
        texts = (text.encode() if isinstance(text, str) else bytes(text) for text in array.tolist())
        joined = b"".join(hashlib.blake2b(text, digest_size=_LENGTH).digest() for text in texts)
        return np.frombuffer(joined, "<u8")
    raise TypeError(f"A key is a whole number or a string. Received: {array.dtype.name}.")


def seeds(root: int, keys: np.ndarray, view: int) -> np.ndarray:
    """A seed for each sample of a view, `(samples, 2)` in int32 as `tf.random.stateless_uniform` takes it.

    Args:
        root: The seed of all.
        keys: The keys of the samples, in uint64.
        view: The number of the view.

    Examples:
        >>> seeds(0, np.array([7, 8], np.uint64), view=1).shape
        (2, 2)
    """
    folded = np.full(1, root, np.int64).view(np.uint64)
    for each in (np.full(1, view, np.int64).view(np.uint64), keys.astype(np.uint64)):
        folded = _mixed(_mixed(folded) ^ each)
    return np.ascontiguousarray(folded).view(np.int32).reshape(-1, 2)


def _mixed(values: np.ndarray) -> np.ndarray:
    """The output function of SplitMix64 (Steele, Lea, Flood 2014)."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _kind(leaf: np.ndarray, is_free: bool) -> tuple[str, list[int | None]]:
    shape: list[int | None] = list(leaf.shape[1:])
    if is_free:
        shape[0] = None
    return "string" if leaf.dtype.kind in "OSU" else leaf.dtype.name, shape


def _rows(leaf: np.ndarray, is_free: bool) -> list[bytes | memoryview]:
    if leaf.dtype.kind in "OSU":
        return [_joined(row) for row in leaf.reshape(len(leaf), -1).tolist()] if len(leaf) else []
    flat = np.ascontiguousarray(leaf).reshape(len(leaf), int(np.prod(leaf.shape[1:])))
    rows: list[bytes | memoryview] = [row.data for row in flat.view(np.uint8)]
    return [bytes(row).rstrip(b"\0") for row in rows] if is_free else rows


def _joined(texts: Sequence[str | bytes]) -> bytes:
    encoded = (text.encode() if isinstance(text, str) else bytes(text) for text in texts)
    return b"".join(len(text).to_bytes(8, "little") + text for text in encoded)
