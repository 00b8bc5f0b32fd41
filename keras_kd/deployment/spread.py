"""How much of what Keras's outputs tell apart is told apart by a file, counted in one pass over the data.

The outputs for two samples differ by little or by much: that is their spread, and an error is small or large
beside it, not beside the outputs themselves. A barometer that always shows 1,013 hPa is never off by much.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# A channel matters if its spread is at least this fraction of the widest one's. Where no value exceeds 1, as
# in probabilities and normalized embeddings, all channels have one unit, and far smaller ones are silent.
_MATTERS, _MATTERS_IN_ONE_UNIT = 1e-4, 0.05
# A spread of fewer rounding steps of the largest output is rounding, not an answer.
_ROUNDING_STEPS = 16
FLOAT32_STEP, FLOAT16_STEP = 2.0**-23, 2.0**-10


def by_channel(array: np.ndarray) -> np.ndarray:
    """Float64 values of shape `(samples, positions, channels)`; the last axis holds the channels, if any."""
    values = array.astype("float64")
    return values.reshape(len(values), -1, values.shape[-1] if values.ndim > 1 else 1)


def varying(spread: np.ndarray, largest: np.ndarray, step: float = FLOAT32_STEP) -> np.ndarray:
    """Which channels tell samples apart: more than rounding does, and not far less than the others.

    Args:
        spread: how far the values of each channel spread.
        largest: the largest |value| of each channel.
        step: the rounding step of the values, as a fraction of the largest.

    Examples:
        >>> varying(np.array([5.0, 1e-6, 1.0]), np.array([9.0, 1.0, 1e9])).tolist()
        [True, False, False]
    """
    matters = _MATTERS_IN_ONE_UNIT if largest.max(initial=0) <= 1 else _MATTERS
    return (spread > _ROUNDING_STEPS * step * largest) & (spread >= matters * spread.max(initial=0))


@dataclass(frozen=True)
class Loss:
    """What a file loses of the spread of one output: 0 in a perfect file, 1 in one that knows nothing.

    Args:
        error: root mean square of the errors, as a fraction of that of Keras's spread over the samples.
        noise: the same without the mean error at each position, which confuses no samples.
        channels: the `noise` of each channel; NaN for those that hardly vary.
        spread: root mean square of the spread of each channel.
    """

    error: float
    noise: float
    channels: np.ndarray
    spread: np.ndarray


class Spread:
    """Running sums of Keras's outputs and of a file's errors, at each position and over the samples.

    Args:
        step: the rounding step of the outputs, as a fraction of the largest: that of their type.
    """

    def __init__(self, step: float = FLOAT32_STEP) -> None:
        self._step = step
        self._samples = 0
        self._aligned = True  # images of several sizes have no positions in common

    def add(self, wanted: np.ndarray, received: np.ndarray) -> None:
        """Count one batch: Keras's outputs and the file's, `(samples, ..., channels)`."""
        if not wanted.size:
            return
        with np.errstate(invalid="ignore"):  # of infinities; `loss` does without them
            self._add(by_channel(wanted), by_channel(received) - by_channel(wanted))

    def _add(self, expected: np.ndarray, errors: np.ndarray) -> None:
        if not self._samples:
            # Squares of distances from the first sample do not cancel as squares of large numbers do.
            self._origin = expected[0]
            self._sums = np.zeros((4, *self._origin.shape))
            self._largest = np.zeros(self._origin.shape[-1])
        self._samples += len(expected)
        self._aligned &= expected.shape[1:] == self._origin.shape
        if self._aligned:
            moved = expected - self._origin
            self._sums += [moved.sum(0), (moved**2).sum(0), errors.sum(0), (errors**2).sum(0)]
            self._largest = np.maximum(self._largest, np.abs(expected).max((0, 1)))

    def loss(self) -> Loss | None:
        """The loss so far; `None` if no output varies, as with a single sample, or some are NaN."""
        if self._samples < 2 or not self._aligned or not np.isfinite(self._sums).all():
            return None
        moved, moved_squares, error, error_squares = self._sums / self._samples
        variance = (moved_squares - moved**2).clip(0).mean(0)
        squared_errors, bias = error_squares.mean(0), (error**2).mean(0)
        noise = (squared_errors - bias).clip(0)
        spread = np.sqrt(variance)
        counted = varying(spread, self._largest, self._step)
        if not counted.any():
            return None
        total = variance[counted].sum()
        return Loss(
            error=float(np.sqrt(squared_errors[counted].sum() / total)),
            noise=float(np.sqrt(noise[counted].sum() / total)),
            channels=np.sqrt(np.divide(noise, variance, where=counted, out=np.full(len(noise), np.nan))),
            spread=spread,
        )
