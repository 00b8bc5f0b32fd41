"""Labelling: the samples of data that have no signals yet go through a teacher, into shards."""

import contextlib
import time
from collections.abc import Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf

from keras_kd.finite import NotFinite, nonfinite
from keras_kd.messages import number_of
from keras_kd.teachers.taught.answering import Answer
from keras_kd.teachers.taught.shards import Ledger
from keras_kd.teachers.taught.store import KEYS, ROWS
from keras_kd.teachers.taught.viewed import ViewedBatch
from keras_kd.teachers.taught.writer import AnswerError, ShardWriter

_RATE = "samples/s"


class Labelled:
    """Which samples have signals: their keys, and the digest of each sample's first view."""

    def __init__(self, keys: np.ndarray, digests: np.ndarray) -> None:
        self._known = dict(zip(keys.tolist(), digests.tolist(), strict=True))

    @classmethod
    def of(cls, ledger: Ledger) -> "Labelled":
        """Those in the finished shards."""
        shards = ledger.finished()
        keys = [ledger.array(number, KEYS) for number in shards]
        firsts = [ledger.array(number, ROWS)["digest"][:, 0] for number in shards]
        none = np.zeros(0, np.uint64)
        return cls(np.concatenate([none, *keys]), np.concatenate([none, *firsts]))

    def check(self, keys: np.ndarray, digests: np.ndarray, shard: int) -> None:
        """Raise a `ValueError` if samples of a shard have the keys of others."""
        known = np.array([self._known[key] for key in keys.tolist()], np.uint64)
        other = np.flatnonzero(known != digests)
        if len(other):
            raise ValueError(
                f"Two different samples have one key ({int(keys[other[0]])}), one of them in shard {shard}: "
                "give a `key` that differs, or `key=None` to tell samples apart by their contents."
            )

    def __len__(self) -> int:
        return len(self._known)

    def note_new(self, batch: ViewedBatch) -> list[int]:
        """The rows of a batch that have no signals yet, which are noted as if they had.

        Raises:
            ValueError: A key that another sample has, too.
        """
        new = []
        pairs = zip(batch.keys.tolist(), batch.digests[:, 0].tolist(), strict=True)
        for row, (key, digest) in enumerate(pairs):
            before = self._known.get(key)
            if before is None:
                self._known[key] = digest
                new.append(row)
            elif before != digest:
                raise ValueError(
                    f"Two different samples have one key ({key}), the second of them at position "
                    f"{batch.position + row}: give a `key` that differs, or `key=None` to tell samples apart "
                    "by their contents."
                )
        return new


def label(
    batches: Iterator[ViewedBatch], answer: Answer, writer: ShardWriter, labelled: Labelled, bar: "Bar"
) -> None:
    """Label what has no signals yet, shard by shard.

    Raises:
        ValueError: A key that repeats, or an answer that cannot be stored; it names the sample.
        WriteError: A shard cannot be written. Those that are finished stay.
    """
    try:
        for batch in batches:
            rows = _label(batch, answer, writer, labelled)
            bar.add(len(batch.keys), rows)
    finally:  # what was labelled before an interruption is kept
        writer.flush()


def label_part(batches: Iterator[ViewedBatch], answer: Answer, writer: ShardWriter) -> int:
    """Label all samples of a part into the one shard of a writer; how many rows it has.

    Nothing is written unless all of it was labelled. Equal samples are labelled once.

    Raises:
        ValueError: As `label`.
        WriteError: The shard cannot be written.
    """
    none = np.zeros(0, np.uint64)
    labelled = Labelled(none, none)
    for batch in batches:
        _label(batch, answer, writer, labelled)
    writer.flush(even_empty=True)
    return len(labelled)


def _label(batch: ViewedBatch, answer: Answer, writer: ShardWriter, labelled: Labelled) -> int:
    """Label the samples of a batch that have no signals yet; how many there are."""
    rows = labelled.note_new(batch)
    if not rows:
        return 0
    new = batch.take(rows)
    with samples_named(batch, rows):
        writer.add(new.keys, new.digests, [answer(x) for x in new.views])
    return len(rows)


@contextlib.contextmanager
def samples_named(batch: ViewedBatch, rows: Sequence[int]) -> Iterator[None]:
    """Say which sample of the data an error is about, instead of which of those that were asked.

    Args:
        batch: The batch that is labelled.
        rows: Those of its rows that are asked.

    Raises:
        ValueError: An answer cannot be stored.
    """
    try:
        yield
    except (AnswerError, NotFinite) as error:
        if error.row is None:
            raise
        row = rows[error.row]
        what = str(error).removesuffix(f" for sample {error.row} of the batch.")
        raise ValueError(
            f"Sample {batch.position + row} of the data (row {row} of its batch, key "
            f"{int(batch.keys[row])}): {what}.{_about_inputs(batch, row)}"
        ) from None


def _about_inputs(batch: ViewedBatch, row: int) -> str:
    parts = tf.nest.flatten(batch.views)
    return " Its inputs hold NaN or infinity." if any(nonfinite(part[row]).any() for part in parts) else ""


class Bar:
    """A progress bar: batches, samples a second, and the time left where the number of batches is known.

    Args:
        batches: How many there are; `None` if it is unknown.
        shown: Whether to show it.
        unit: What it counts.
    """

    def __init__(self, batches: int | None, shown: bool, unit: str = "batch") -> None:
        self._bar = keras.utils.Progbar(batches, stateful_metrics=[_RATE], unit_name=unit) if shown else None
        self._batches, self._start = 0, time.monotonic()
        self._samples, self._labelled = 0, 0

    def add(self, samples: int, labelled: int) -> None:
        """One more batch.

        Args:
            samples: How many it holds.
            labelled: How many of them the teacher labelled now.
        """
        self._batches += 1
        self._samples += samples
        self._labelled += labelled
        if self._bar is not None:
            rate = self._samples / max(time.monotonic() - self._start, 1e-9)
            self._bar.update(self._batches, [(_RATE, rate)], finalize=False)

    def end(self) -> str:
        """End it, and say what was done."""
        if self._bar is not None:
            self._bar.update(self._batches, finalize=True)
        return f"{number_of(self._labelled, 'sample')} of {self._samples:,} labelled"
