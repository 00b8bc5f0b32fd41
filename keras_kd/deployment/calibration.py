"""Representative samples, taken from data of any form and checked."""

from __future__ import annotations

import warnings

import numpy as np

from keras_kd.deployment.data_sources import Data, batches
from keras_kd.deployment.source.serving import Serving
from keras_kd.finite import nonfinite

LIMIT = 256
FEW = 32


def representative_samples(data: Data, serving: Serving, limit: int = LIMIT) -> dict[str, np.ndarray]:
    """Take some samples of calibration data and check them.

    They are spread evenly over arrays, which may be sorted; of anything else, the first ones are taken, as
    it may be long or endless.

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
    for x, _ in batches(data, inputs=serving.data_inputs(), most=limit):
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
            f"{rows} calibration {'sample is' if rows == 1 else 'samples are'} few, and the ranges may be "
            f"wrong: pass {FEW} or more.",
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
