"""The signals in a folder, read by key: a table of keys, and memory maps of the shards."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from keras_kd.messages import number_of
from keras_kd.teachers.taught.manifest import Manifest
from keras_kd.teachers.taught.records import StoredSignal
from keras_kd.teachers.taught.remote import Folder
from keras_kd.teachers.taught.shards import Ledger, unmap

KEYS, ROWS = "keys", "rows"


class Store:
    """Taught signals that are read at random.

    Args:
        folder: The folder.
        verify: Whether to compare the checksum of each file first.

    Attributes:
        manifest: What the folder holds.

    Raises:
        FileNotFoundError: It holds no taught signals.
        ValueError: A file is damaged.
    """

    def __init__(self, folder: Folder, verify: bool = True) -> None:
        self.folder, self.manifest = folder, Manifest.load(folder)
        # It is read while a student trains, when the process may be in another working directory.
        self._ledger = Ledger(folder.absolute() if isinstance(folder, Path) else folder)
        unmap()  # another process may have written anew
        shards = self._ledger.finished()
        for number in shards if verify else ():
            self._ledger.check(number)
        keys = [np.asarray(self._ledger.array(number, KEYS)) for number in shards]
        self._shards = np.array(list(shards), np.int64)
        self._starts = np.cumsum([0, *shards.values()])
        whole = np.concatenate([np.zeros(0, np.uint64), *keys])
        self._order = np.argsort(whole, kind="stable")
        self._keys = whole[self._order]
        self._numbers = {signal.tap: i for i, signal in enumerate(self.manifest.signals)}

    def __len__(self) -> int:
        """The number of samples."""
        return len(self._keys)

    def find(self, keys: np.ndarray) -> np.ndarray:
        """The place of each key, -1 where there is none."""
        at = np.searchsorted(self._keys, keys)
        inside = at < len(self._keys)
        at[~inside] = 0
        found = inside & (self._keys[at] == keys) if len(self) else np.zeros(len(keys), bool)
        return np.where(found, self._order[at] if len(self) else 0, -1)

    def digests(self, places: np.ndarray, view: int) -> np.ndarray:
        """The digest of what the teacher saw of each sample, in a view."""
        return self._gather("digest", places, view)

    def read(self, tap: str, places: np.ndarray, view: int, length: int | None = None) -> np.ndarray:
        """A signal of some samples.

        Args:
            tap: Its name.
            places: Where the samples are, as `find` tells.
            view: Which view.
            length: To how many tokens those of a sample are padded; by default, of the longest.
        """
        signal, number = self.manifest.signal(tap), self._numbers[tap]
        items = self._gather(str(number), places, view)
        if not signal.has_tokens:
            return signal.decode(items)
        return self._padded(signal, number, places, items, length)

    def _padded(
        self, signal: StoredSignal, number: int, places: np.ndarray, spans: np.ndarray, length: int | None
    ) -> np.ndarray:
        lengths = spans["length"].astype(np.int64)
        longest = int(lengths.max(initial=0))
        if length is not None and longest > length:
            row = int(lengths.argmax())
            raise ValueError(
                f"Sample {row} of the batch has {number_of(length, 'token')}, and the teacher's "
                f"{signal.tap!r} has {longest}: it was taught with other padding."
            )
        sizes = [size for size in signal.shape if size is not None]
        padded = np.zeros((len(places), length or longest, *sizes), signal.given)
        shards = np.searchsorted(self._starts, places, "right") - 1
        for row, (shard, (start, count)) in enumerate(zip(shards, spans.tolist(), strict=True)):
            tokens = self._ledger.array(int(self._shards[shard]), str(number))
            padded[row, :count] = signal.decode(tokens[start : start + count])
        return padded

    def _gather(self, field: str, places: np.ndarray, view: int) -> np.ndarray:
        shards = np.searchsorted(self._starts, places, "right") - 1
        gathered: np.ndarray | None = None
        for shard in np.unique(shards):
            chosen = np.flatnonzero(shards == shard)
            rows = self._ledger.array(int(self._shards[shard]), ROWS)[field]
            found = rows[places[chosen] - self._starts[shard], view]
            if gathered is None:
                gathered = np.empty((len(places), *found.shape[1:]), found.dtype)
            gathered[chosen] = found
        if gathered is None:
            gathered = np.zeros(0, row_type(self.manifest.signals, self.manifest.views)[field].base)
        return gathered


def row_type(signals: Sequence[StoredSignal], views: int) -> np.dtype:
    """What a row of a shard holds: of each view, the digest of what the teacher saw and each signal.

    Of a signal with tokens, a row holds where they begin and how many there are.
    """
    span = np.dtype([("start", "<u8"), ("length", "<u4")])
    fields = [(str(i), span if s.has_tokens else s.item, (views,)) for i, s in enumerate(signals)]
    return np.dtype([("digest", "<u8", (views,)), *fields])
