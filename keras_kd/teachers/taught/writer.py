"""Rows of taught signals, collected until a shard is full and then written."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from keras_kd.messages import number_of
from keras_kd.teachers.taught.answering import mask_name
from keras_kd.teachers.taught.records import StoredSignal
from keras_kd.teachers.taught.shards import Ledger
from keras_kd.teachers.taught.store import KEYS, ROWS, row_type
from keras_kd.tensors import Tensors

_ROWS, _BYTES = 2**14, 2**27  # of a shard: what a killed process loses, and what it holds in memory


class ShardWriter:
    """Writes rows as shards.

    Args:
        ledger: The shards.
        signals: The signals, as they are stored.
        views: How many views a row has.
        rows: How many rows a shard has; by default 16,384, or as many as 128 MiB hold.
        number: The number of the one shard that takes all rows. Default: shards follow those that are there.
    """

    def __init__(
        self,
        ledger: Ledger,
        signals: Sequence[StoredSignal],
        views: int,
        rows: int | None = None,
        number: int | None = None,
    ) -> None:
        self._ledger, self._signals, self._views = ledger, signals, views
        self._type = row_type(signals, views)
        alone = number is not None
        self._limit: float = math.inf if alone else rows or _ROWS
        self._bytes: float = math.inf if alone else _BYTES
        self._next = max(ledger.finished(), default=-1) + 1 if number is None else number
        self._clear()

    def _clear(self) -> None:
        self._keys: list[np.ndarray] = []
        self._rows: list[np.ndarray] = []
        self._tokens: dict[int, list[np.ndarray]] = {
            i: [] for i, signal in enumerate(self._signals) if signal.has_tokens
        }

    def add(self, keys: np.ndarray, digests: np.ndarray, answers: Sequence[Mapping[str, np.ndarray]]) -> None:
        """Add rows, and write the shard if it is full.

        Args:
            keys: Of the samples.
            digests: Of what the teacher saw, `(samples, views)`.
            answers: The signals of each view.

        Raises:
            AnswerError: A signal has NaN or does not fit its dtype or shape.
            WriteError: The shard cannot be written.
        """
        rows = np.zeros(len(keys), self._type)
        rows["digest"] = digests
        tokens: dict[int, list[np.ndarray]] = {i: [] for i in self._tokens}
        for view, answer in enumerate(answers):
            for i, signal in enumerate(self._signals):
                values = _checked(signal, answer[signal.tap])
                if not signal.has_tokens:
                    rows[str(i)][:, view] = _encoded(signal, values)
                    continue
                counts = _lengths(values, answer.get(mask_name(signal.tap)))
                kept = np.arange(values.shape[1]) < counts[:, None]
                before = sum(map(len, self._tokens[i])) + sum(map(len, tokens[i]))
                rows[str(i)]["start"][:, view] = before + np.cumsum(counts) - counts
                rows[str(i)]["length"][:, view] = counts
                tokens[i].append(_encoded(signal, values[kept], np.flatnonzero(kept) // values.shape[1]))
        self._keys.append(keys)
        self._rows.append(rows)
        for i, found in tokens.items():
            self._tokens[i] += found
        held = [*self._rows, *(part for parts in self._tokens.values() for part in parts)]
        if sum(map(len, self._keys)) >= self._limit or sum(part.nbytes for part in held) >= self._bytes:
            self.flush()

    def flush(self, even_empty: bool = False) -> None:
        """Write the rows that are held.

        Args:
            even_empty: Whether to write a shard without rows.
        """
        if self._keys or even_empty:
            no_keys, no_rows = np.zeros(0, np.uint64), np.zeros(0, self._type)
            arrays = {KEYS: np.concatenate([no_keys, *self._keys])}
            arrays[ROWS] = np.concatenate([no_rows, *self._rows])
            for i, parts in self._tokens.items():
                arrays[str(i)] = np.concatenate([np.zeros(0, self._signals[i].item), *parts])
            self._clear()
            self._ledger.write(self._next, arrays)
            self._next += 1


def default_rows(signals: Sequence[StoredSignal], views: int, x: Tensors) -> int:
    """How many rows a shard has by default.

    Args:
        signals: The signals, as they are stored.
        views: How many views a row has.
        x: A batch of inputs, whose second axis is taken for the tokens of signals that have any.
    """
    tokens = max((part.shape[1] for part in tf.nest.flatten(x) if part.ndim > 1), default=1)
    of_tokens = sum(signal.item.itemsize * tokens * views for signal in signals if signal.has_tokens)
    return max(1, min(_ROWS, math.ceil(_BYTES / (row_type(signals, views).itemsize + of_tokens))))


class AnswerError(ValueError):
    """An answer of the teacher that cannot be stored.

    Attributes:
        row: Which sample of those that it answered.
    """

    def __init__(self, message: str, row: int) -> None:
        super().__init__(message)
        self.row = row


def _checked(signal: StoredSignal, values: np.ndarray) -> np.ndarray:
    wanted, found = signal.shape, values.shape[1:]
    if len(wanted) != len(found) or any(a not in (None, b) for a, b in zip(wanted, found, strict=True)):
        raise AnswerError(
            f"the teacher's {signal.tap!r} has the shape {found} here and {wanted} in the first batch. Give "
            "all samples one size, or padding that a mask tells",
            0,
        )
    if values.dtype.kind in "biuSO":
        return values
    numbers = values if values.dtype.kind == "f" else values.astype(np.float32)
    bad = np.isnan(numbers) | (np.isposinf(numbers) if signal.activation is None else False)
    if bad.any():
        row = int(np.argwhere(bad)[0][0])
        raise AnswerError(f"the teacher's {signal.tap!r} is NaN or infinite", row)
    if signal.activation == "softmax" and not np.allclose(numbers.sum(-1, dtype=np.float64), 1, atol=1e-2):
        row = int(np.argmax(np.abs(numbers.sum(-1) - 1).reshape(len(numbers), -1).max(-1)))
        raise AnswerError(f"the teacher's {signal.tap!r} held probabilities so far, and holds none", row)
    return numbers


def _encoded(signal: StoredSignal, values: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
    try:
        return signal.encode(values)
    except OverflowError as error:
        item, value = error.args
        raise AnswerError(
            f"the teacher's {signal.tap!r} is {value:.4g}, more than {signal.dtype} holds. Pass "
            "dtype='float32'",
            item if rows is None else int(rows[item]),
        ) from None


def _lengths(values: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """How many tokens each sample has, without the padding at its end."""
    tokens = values.shape[1]
    if mask is None:
        return np.full(len(values), tokens)
    if mask.shape != values.shape[:2]:
        raise AnswerError(f"the padding mask has the shape {mask.shape}, for {number_of(tokens, 'token')}", 0)
    return np.where(mask.any(1), tokens - np.argmax(mask[:, ::-1], axis=1), 0)
