"""Outputs that are no answer: NaN and infinity, counted in samples in one pass over the data."""

from __future__ import annotations

import numpy as np

from keras_kd.finite import nonfinite


class Unusable:
    """Running counts of samples for which an output holds NaN or infinity."""

    def __init__(self) -> None:
        self.samples = 0
        self._counts = {"NaN": 0, "infinity": 0, "either": 0}

    def add(self, outputs: list[np.ndarray], references: list[np.ndarray] | None = None) -> None:
        """Count one batch.

        Args:
            outputs: the outputs, each with the samples first.
            references: what they should be. An infinity that should be one is right; without references,
                minus infinity may be the logit of a class that is suppressed.
        """
        rows = len(outputs[0])
        found = {name: np.zeros(rows, bool) for name in self._counts}
        for i, values in enumerate(outputs):
            bad = nonfinite(values, may_suppress=references is None)
            if references is not None:
                bad &= values != references[i]
            if not bad.any():
                continue
            # NaN alone differs from itself.
            nan = bad & (values != values)
            for name, part in (("NaN", nan), ("infinity", bad & ~nan), ("either", bad)):
                found[name] |= part.reshape(rows, -1).any(1)
        self.samples += rows
        for name, part in found.items():
            self._counts[name] += int(part.sum())

    def __str__(self) -> str:
        """For how many samples there is what, as in "NaN for 3 of 40 samples"; empty for none."""
        if not self._counts["either"]:
            return ""
        what = " or ".join(name for name in ("NaN", "infinity") if self._counts[name])
        return f"{what} for {self._counts['either']:,} of {self.samples:,} samples"
