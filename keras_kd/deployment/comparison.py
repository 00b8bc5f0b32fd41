"""Does the output of a file agree with that of Keras?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from keras_kd.deployment.input_steps import RoundedInput, coarse_input
from keras_kd.deployment.quantizations import ErrorBound
from keras_kd.deployment.spread import Loss, Spread, by_channel, varying
from keras_kd.finite import nonfinite

# In fractions of the spread of Keras's outputs. Measured on trained and untrained models: integer files lose
# 0.01 to 0.15 of it. A file with three different values loses 0.3, and one with a single value all of it.
NOTHING_LEFT = 0.95
LITTLE_LEFT = 0.25
_LOST_CHANNEL, _MANY_CHANNELS = 0.9, 1 / 8
_HALF = 0.5  # of the integers of an output
# Probabilities that differ by less than this predict the same for all samples, which is no fault of the file.
_SAME_PREDICTION = 0.05
# A file with the same output for every random input is broken if Keras's outputs differ by more than this
# fraction of the largest one.
_VARIES = 0.1


@dataclass(frozen=True)
class Comparison:
    """How the outputs of a file compare with Keras's.

    Args:
        max_error: the largest |error|.
        fault: why the file is wrong; `None` if it is not.
        losses: what the file lost of the information in Keras's outputs, in sentences.
        notes: what it lost of little, and what the samples cannot tell.
    """

    max_error: float
    fault: str | None = None
    losses: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def compare_outputs(
    expected: dict[str, np.ndarray],
    actual: dict[str, np.ndarray],
    bound: ErrorBound,
    *,
    real_samples: bool = True,
    probabilities: frozenset[str] = frozenset(),
    rerun: Callable[[], Mapping[str, np.ndarray]] | None = None,
    rounded: Callable[[], Iterable[RoundedInput]] = tuple,
) -> Comparison:
    """Compare the outputs of a file with Keras's.

    Args:
        expected: Keras's outputs by name, `(samples, ...)`.
        actual: the file's outputs by name.
        bound: how far apart they may be.
        real_samples: whether the samples are data on the scale that the model takes. Others may hardly move
            the outputs, and what a file loses of so little proves nothing.
        probabilities: names of the outputs that are a softmax or a sigmoid.
        rerun: gives Keras's outputs for inputs that differ by a rounding step. Tiny outputs that change as
            much by that as from sample to sample are rounding, of which no file can know.
        rounded: gives Keras's outputs for each input in the integers of the file, which may be the cause.
    """
    worst, losses, notes = 0.0, [], []
    for name, wanted in expected.items():
        if name not in actual or actual[name].shape != wanted.shape:
            received = actual[name].shape if name in actual else f"only {sorted(actual)}"
            return Comparison(
                worst, f"output {name!r} should have shape {wanted.shape}; the file gives {received}"
            )
        if wanted.size == 0:
            continue
        output = _Output(name, wanted, actual[name], bound, name in probabilities, rounded)
        worst = max(worst, output.error)
        judged = real_samples
        if output.fault(judged) and rerun is not None and output.is_rounding(rerun()[name]):
            judged = False
        fault = output.fault(judged)
        if fault:
            return Comparison(worst, fault)
        losses += output.losses() if judged else []
        notes += output.lost_channels() if judged else output.unmoved() if not real_samples else []
    return Comparison(worst, None, tuple(losses), tuple(notes))


class _Output:
    """One output of both."""

    def __init__(
        self,
        name: str,
        wanted: np.ndarray,
        received: np.ndarray,
        bound: ErrorBound,
        is_probability: bool,
        rounded: Callable[[], Iterable[RoundedInput]],
    ) -> None:
        self.name, self.bound, self.is_probability = f"output {name!r}", bound, is_probability
        self._key, self._rounded = name, rounded
        self.is_float = np.issubdtype(received.dtype, np.floating)
        self.wanted, self.received = by_channel(wanted), by_channel(received)
        self.is_broken = bool(nonfinite(self.received).any())
        self.errors = np.abs(self.received - self.wanted)
        self.error = np.inf if self.is_broken else float(self.errors.max())
        self.sizes = np.abs(self.wanted).max((0, 1))
        self.moved = np.abs(self.wanted - self.wanted.mean(0)).max((0, 1))
        self.loss: Loss | None = None
        if self.is_float:
            spread = Spread(bound.step)
            spread.add(wanted, received)
            self.loss = spread.loss()

    def fault(self, real_samples: bool) -> str | None:
        """Why the file is wrong, or `None`."""
        if self.is_broken:
            return f"{self.name} of the file holds NaN or infinity and Keras's does not"
        if not self.is_float:
            # Integers (such as an argmax) may flip where two candidates are close.
            few = self._equal() < self.bound.equal_integers
            return f"only {self._equal():.0%} of the integers of {self.name} equal Keras's" if few else None
        return self._error_fault(real_samples) or self._information_fault(real_samples)

    def is_rounding(self, again: np.ndarray) -> bool:
        """Whether the outputs are so small that rounding moves them as much as the samples do."""
        change = np.abs(by_channel(again) - self.wanted).max()
        return bool(self.sizes.max() <= self.bound.floor and change > LITTLE_LEFT * self.moved.max())

    def _equal(self) -> float:
        return float((self.errors == 0).mean())

    def _error_fault(self, real_samples: bool) -> str | None:
        allowed, errors = self._allowed(real_samples), self.errors.max((0, 1))
        over = np.flatnonzero(errors > allowed)
        if not len(over):
            return None
        worst = max(over, key=lambda channel: errors[channel] - allowed[channel])
        where = f" in channel {worst}" if len(allowed) > 1 else ""
        return (
            f"{self.name} is off by {errors[worst]:.3g}{where}, more than the {allowed[worst]:.3g} allowed: "
            f"Keras's outputs for the samples differ by up to {self.moved[worst]:.3g} and are up to "
            f"{self.sizes[worst]:.3g}"
        )

    def _allowed(self, real_samples: bool) -> np.ndarray:
        """The largest error allowed in each channel."""
        bound, sizes = self.bound, self.sizes
        counted = varying(self.moved, sizes, bound.step)
        judged = real_samples and counted.any()
        if bound.of_spread is None:
            return np.full(len(sizes), bound.of_largest * sizes.max() + (0.0 if judged else bound.floor))
        allowed = bound.of_largest * sizes
        if not judged:
            return allowed + bound.of_spread * sizes.max() + bound.floor
        return allowed + bound.of_spread * np.maximum(self.moved, self.moved[counted].min())

    def _information_fault(self, real_samples: bool) -> str | None:
        if not real_samples:
            is_constant = np.ptp(self.received, axis=0).max() == 0
            moved = np.ptp(self.wanted, axis=0).max()
            if is_constant and moved > _VARIES * self.sizes.max():
                return f"{self.name} of the file is the same for every sample and Keras's is not"
            return None
        if self.loss is None or self.loss.noise < NOTHING_LEFT or self._predicts_the_same():
            return None
        return f"{self.name} of the file carries no information: {self._values()}.{self._advice()}"

    def _predicts_the_same(self) -> bool:
        return self.is_probability and self.moved.max() < _SAME_PREDICTION

    def losses(self) -> list[str]:
        """What the file lost of what matters, in sentences."""
        if not self.is_float:
            few = self._equal() < _HALF
            return [f"only {self._equal():.0%} of the integers of {self.name} equal Keras's"] if few else []
        if self.loss is None or self.loss.error <= LITTLE_LEFT:
            return self.lost_channels(many=True)
        if self._predicts_the_same():
            return [
                f"{self.name} is nearly the same probability for all samples, and the file does not tell "
                f"them apart: {self._values()}; compare it on samples of several classes"
            ]
        return [f"the file lost most of {self.name}: {self._values()}.{self._advice()}"]

    def lost_channels(self, many: bool = False) -> list[str]:
        """Name the channels that the file knows nothing of, if they are many, or if they are few."""
        lost = np.flatnonzero(self.loss.channels >= _LOST_CHANNEL) if self.loss else np.zeros(0)
        if not len(lost) or many != (len(lost) >= _MANY_CHANNELS * len(self.sizes)):
            return []
        names = ", ".join(map(str, lost[:5])) + (", ..." if len(lost) > 5 else "")
        reason = self._input_cause(lost) or (
            "All share one scale of integers, which is coarse beside their values. Return them as an output "
            "of their own, or bring all channels to one range"
        )
        return [
            f"the file lost {len(lost)} of the {len(self.sizes)} channels of {self.name} ({names}). {reason}."
        ]

    def unmoved(self) -> list[str]:
        """Say so if the samples do not tell how good the file is."""
        if self.loss is None or self.loss.error <= LITTLE_LEFT:
            return []
        return [
            f"{self.name} hardly varies on the inputs that the file was compared on, by up to "
            f"{self.moved.max():.2g}; whether the file is as good on real ones is unknown: pass real samples "
            "as calibration="
        ]

    def _values(self) -> str:
        """What both give for the samples: how many values, and how far apart."""
        count = len(self.wanted)
        if self.wanted[0].size == 1:
            values, answers = len(np.unique(self.received)), len(np.unique(self.wanted))
            return (
                f"{values} different value{'s' * (values > 1)} for {count} samples, where Keras gives "
                f"{answers} from {self.wanted.min():.6g} to {self.wanted.max():.6g}"
            )
        error = self.loss.error if self.loss else np.nan
        return (
            f"its errors for {count} samples are {error:.0%} of the spread of Keras's values, which differ "
            f"by up to {self.moved.max():.3g} and are up to {self.sizes.max():.3g}"
        )

    def _advice(self) -> str:
        if self.bound.of_spread is not None:
            return ""
        cause = self._input_cause()
        if cause:
            return f" {cause}; or use quantization='dynamic' or 'float16'."
        if self.sizes.max() > 3 * self.moved.max():
            return (
                " A scale of integers reaches from 0 to the largest value: leave the last offset out of the "
                "model and add it to the file's outputs. Or are the samples not on the scale that the model "
                "takes?"
            )
        return (
            " Integers are too coarse for these values: scale the last layer so that its values are around "
            "1, or use quantization='dynamic' or 'float16'."
        )

    def _input_cause(self, channels: np.ndarray | None = None) -> str:
        """The input that is to blame for what the file lost, if one is."""
        return coarse_input(self._rounded(), self._key, self.wanted, self.bound.step, LITTLE_LEFT, channels)
