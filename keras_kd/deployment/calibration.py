"""Representative samples from datasets and arrays."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import TypeAlias

import keras
import numpy as np
import tensorflow as tf

from keras_kd.deployment.serving import Serving
from keras_kd.finite import nonfinite
from keras_kd.tensors import Tensors

Data: TypeAlias = (
    tf.data.Dataset | Tensors
)  # batches of `x`, `(x, y)` or `(x, y, weights)`; or the same as arrays

LIMIT = 256
FEW = 32


def batches(data: Data, batch_size: int = 256) -> Iterator[tuple[Tensors, Tensors]]:
    """Iterate over data batch by batch.

    Args:
        data: a batched `tf.data.Dataset` of `x`, `(x, y)` or `(x, y, weights)`; or the same as arrays,
            where `x` may be an array, a dict or a list of arrays, and the tuple is a tuple of these.
        batch_size: rows per batch, if arrays are given.

    Yields:
        `(x, y)`, where `y` is `None` without labels. Weights are left out.
    """
    if isinstance(data, tf.data.Dataset):
        for element in data.as_numpy_iterator():
            yield _inputs_and_labels(element)
        return
    x, y = _inputs_and_labels(data)
    rows = {len(array) for array in map(np.asarray, keras.tree.flatten((x, y))) if array.ndim}
    if len(rows) > 1:
        raise ValueError(f"Inputs and labels need the same number of rows; received {sorted(rows)}.")
    for start in range(0, max(rows, default=0), batch_size):
        yield keras.tree.map_structure(
            lambda array, start=start: (
                None if array is None else np.asarray(array)[start : start + batch_size]
            ),
            (x, y),
        )


def _inputs_and_labels(element: Tensors) -> tuple[Tensors, Tensors]:
    if isinstance(element, tuple):
        return element[0], element[1] if len(element) > 1 else None
    return element, None


def representative_samples(data: Data, serving: Serving, limit: int = LIMIT) -> dict[str, np.ndarray]:
    """Take the first samples of calibration data and check them.

    Args:
        data: as for `batches`.
        serving: the model that the samples are for.
        limit: how many samples to take; the ranges hardly change beyond a few hundred.

    Returns:
        `{input name: (samples, ...)}`.

    Raises:
        ValueError: if there are no samples, or they do not fit the inputs, or contain NaN or infinity.
        TypeError: if their type does not fit.
    """
    parts: list[dict[str, np.ndarray]] = []
    rows = 0
    for x, _ in batches(data):
        try:
            parts.append(serving.arrays(x))
        except (ValueError, TypeError) as error:
            raise type(error)(f"The calibration data does not fit the model. {error}") from error
        rows += len(next(iter(parts[-1].values())))
        if rows >= limit:
            break
    if rows == 0:
        raise ValueError("The calibration data is empty; pass a few hundred samples of the training inputs.")
    samples = {name: _joined(name, [part[name] for part in parts])[:limit] for name in parts[0]}
    _check_samples(samples, rows)
    return samples


def _check_samples(samples: dict[str, np.ndarray], rows: int) -> None:
    for name, array in samples.items():
        if nonfinite(array).any():
            raise ValueError(
                f"The calibration data for {name!r} holds NaN or infinity; remove those samples."
            )
        if rows > 1 and (array == array[:1]).all():
            warnings.warn(
                f"All calibration samples for {name!r} are equal, so ranges will be wrong: pass real ones.",
                UserWarning,
                stacklevel=4,
            )
    if rows < FEW:
        warnings.warn(
            f"{rows} calibration samples are few, and the ranges may be wrong: pass {FEW} or more.",
            UserWarning,
            stacklevel=4,
        )


def _joined(name: str, parts: list[np.ndarray]) -> np.ndarray:
    shapes = {part.shape[1:] for part in parts}
    if len(shapes) > 1:
        raise ValueError(
            f"The calibration data for {name!r} has samples of several shapes, {sorted(shapes)}; use one."
        )
    return np.concatenate(parts)
