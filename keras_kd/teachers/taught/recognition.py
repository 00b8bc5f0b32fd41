"""A teacher without a fingerprint is told by its answers: some that are stored are asked for once more."""

from collections.abc import Iterable

import numpy as np

from keras_kd.teachers.taught.answering import Answer
from keras_kd.teachers.taught.records import StoredSignal
from keras_kd.teachers.taught.store import Store
from keras_kd.teachers.taught.viewed import ViewedBatch

# Of what is stored: rounding, and what other batches and machines make of sums.
TOLERANCE = {"float16": 2e-3, "float32": 1e-4}


def require_same_answers(store: Store, batches: Iterable[ViewedBatch], answer: Answer, least: float) -> None:
    """Raise an error if a teacher answers to samples with something else than what is stored.

    The samples are those of the first batch of which any is stored; its first view is asked.

    Args:
        store: What is stored.
        batches: The data.
        answer: The teacher.
        least: How far answers may be apart, beside their size, if that is more than what storing them loses.

    Raises:
        FileExistsError: It answers with something else; the message says to which sample, and how far.
    """
    for batch in batches:
        places = store.find(batch.keys)
        rows = np.flatnonzero(places >= 0)
        if len(rows):
            again = answer(batch.take(rows.tolist()).views[0])
            for signal in store.manifest.signals:
                _compare(store, signal, places[rows], again[signal.tap], batch, rows, least)
            return


def _compare(
    store: Store,
    signal: StoredSignal,
    places: np.ndarray,
    again: np.ndarray,
    batch: ViewedBatch,
    rows: np.ndarray,
    least: float,
) -> None:
    length = again.shape[1] if signal.has_tokens else None
    stored = store.read(signal.tap, places, 0, length)
    gaps = differences(signal, stored, np.asarray(again), least)
    if gaps.max(initial=0.0) == 0:
        return
    worst = int(gaps.argmax())
    raise FileExistsError(
        f"{store.folder} holds answers of another teacher, or this one does not answer the same twice: its "
        f"{signal.tap!r} of sample {batch.position + int(rows[worst])} of the data is off by "
        f"{gaps[worst]:.4g} ({np.count_nonzero(gaps)} of {len(gaps)} samples differ). Name another folder, "
        "or use the teacher that it was made with; one with a `fingerprint` is not asked again."
    )


def differences(
    signal: StoredSignal, stored: np.ndarray, again: np.ndarray, least: float = 0.0
) -> np.ndarray:
    """How far the answers to each sample are from those that are stored, `(samples,)`; 0 within tolerance.

    Of a signal with `top_k`, the classes that were kept are compared; of tokens, those that are stored.

    Args:
        signal: How the signal is stored.
        stored: As it comes back, `(samples, ...)`.
        again: What the teacher answers now, likewise.
        least: As for `require_same_answers`.

    Examples:
        >>> signal = StoredSignal("output", (2,), "float16", "float32")
        >>> stored = np.array([[1.0, 2.0], [3.0, 4.0]])
        >>> differences(signal, stored, stored + [[0.0, 0.0], [0.0, 0.5]]).tolist()
        [0.0, 0.5]
    """
    if stored.shape != again.shape:
        return np.full(len(stored), np.inf)
    one, two = stored.astype("float64"), again.astype("float64")
    if signal.top_k is not None and signal.top_k < one.shape[-1]:
        one = _with_others(one, two)
    with np.errstate(invalid="ignore"):
        gaps = np.where(one == two, 0.0, np.abs(one - two))  # minus infinity suppresses a class
    if stored.dtype.kind == "f":
        tolerance = max(TOLERANCE.get(signal.dtype, 0.0), least)
        finite = np.where(np.isfinite(one), one, 0.0)
        gaps[gaps <= tolerance * (np.abs(finite) + np.sqrt(np.mean(np.square(finite))))] = 0.0
    if signal.has_tokens:
        gaps[~np.any(stored.reshape(*stored.shape[:2], -1) != 0, axis=-1)] = 0.0  # padding
    return np.nan_to_num(gaps, nan=np.inf, posinf=np.inf).reshape(len(one), -1).max(axis=1)


def _with_others(stored: np.ndarray, again: np.ndarray) -> np.ndarray:
    """What is stored, with any answer in the place of the classes that were not, up to those that were."""
    kept = stored > stored.min(-1, keepdims=True)
    least = np.where(kept, stored, np.inf).min(-1, keepdims=True)
    return np.where(kept, stored, np.minimum(again, least))
