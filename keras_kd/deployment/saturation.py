"""Outputs that reach further than the integers of a file, which gives its last one for all of them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from keras_kd.deployment.notes import name_outputs
from keras_kd.deployment.spread import by_channel

# Outputs of other samples reach a little further than those of the calibration data, which costs little; so
# does the missing last step of probabilities, which end at 255/256. Fraction of the width of the range.
_LITTLE = 0.05


class Saturation:
    """Compares Keras's outputs with the range that the integers of a file stand for, in one pass.

    Args:
        limits: the smallest and the largest value that the file can give; `None` if these are floats.

    Examples:
        >>> saturation = Saturation((0.0, 50.0))
        >>> saturation.add(np.array([[20.0], [60.0], [49.0]]))
        >>> saturation.notes()[0][:65]
        'the file cannot give more than 50, and Keras gives up to 60 (1 of'
    """

    def __init__(self, limits: tuple[float, float] | None) -> None:
        self._limits = limits
        self._samples = self._below = self._above = 0
        self._least, self._most = np.inf, -np.inf

    def add(self, wanted: np.ndarray) -> None:
        """Count one batch of Keras's outputs, `(samples, ...)`."""
        if self._limits is None or not wanted.size:
            return
        low, high = self._limits
        step = (high - low) / 255
        values = by_channel(wanted).reshape(len(wanted), -1)
        values = np.where(np.isfinite(values), values, low)
        self._samples += len(values)
        self._below += int((values < low - step).any(1).sum())
        self._above += int((values > high + step).any(1).sum())
        self._least, self._most = min(self._least, values.min()), max(self._most, values.max())

    def notes(self) -> list[str]:
        """Sentences about outputs that end in the file and not in Keras."""
        if self._limits is None:
            return []
        (low, high), notes = self._limits, []
        little = _LITTLE * (high - low)
        if self._most > high + little:
            notes.append(self._ends("more", high, "up", self._most, self._above))
        if self._least < low - little:
            notes.append(self._ends("less", low, "down", self._least, self._below))
        return notes

    def _ends(self, more: str, limit: float, up: str, reached: float, samples: int) -> str:
        return (
            f"the file cannot give {more} than {limit:.4g}, and Keras gives {up} to {reached:.4g} "
            f"({samples:,} of {self._samples:,} samples): calibrate with samples that reach further"
        )


class Saturations:
    """Compares all outputs of a model with the ranges of those of a file.

    Args:
        limits: the smallest and the largest value of each output, by name; `None` for those that are floats.

    Examples:
        >>> saturations = Saturations({"price": (0.0, 50.0), "kind": None})
        >>> saturations.add({"price": np.array([[60.0]]), "kind": np.array([[60.0]])})
        >>> saturations.notes()[0][:39]
        'price: the file cannot give more than 5'
    """

    def __init__(self, limits: Mapping[str, tuple[float, float] | None]) -> None:
        self._outputs = {name: Saturation(known) for name, known in limits.items()}

    def add(self, wanted: Mapping[str, np.ndarray]) -> None:
        """Count one batch of Keras's outputs, by name."""
        for name, saturation in self._outputs.items():
            saturation.add(wanted[name])

    def notes(self) -> list[str]:
        """The sentences about each output, with its name if there are several."""
        return name_outputs({name: saturation.notes() for name, saturation in self._outputs.items()})
