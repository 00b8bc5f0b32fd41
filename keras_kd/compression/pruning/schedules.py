"""When to prune, and how much. Steps are counted from 1, as in tensorflow-model-optimization."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from keras_kd.compression.pruning.fractions import check_fraction
from keras_kd.tensors import Number

StepFunction: TypeAlias = Callable[[int], Any]  # returns a sparsity or, in tfmot, a pair that contains one


@dataclass(frozen=True, kw_only=True)
class _EveryFewSteps:
    """Prunes every `frequency` steps from `begin` on, and at `end`.

    Args:
        begin: The first step; 0 and 1 are both the first batch.
        end: The last step, or `None`.
        frequency: Steps between updates.
    """

    begin: int = 0
    end: int | None = None
    frequency: int = 100

    def due(self, after: int, until: int) -> int | None:
        """The last step of `after < step <= until` at which to prune, or `None`."""
        last = until if self.end is None else min(until, self.end)
        if last < self.begin:
            return None
        step = last if last == self.end else last - (last - self.begin) % self.frequency
        return step if step > after else None


@dataclass(frozen=True, kw_only=True)
class ConstantSchedule(_EveryFewSteps):
    """The same sparsity at every step.

    Args:
        final: This sparsity, in [0, 1).
    """

    final: float

    def sparsity(self, step: int, final: float | None = None) -> float:
        """The fraction of zeros at a step; `final` is the sparsity of a layer that has its own."""
        return self.final if final is None else final


@dataclass(frozen=True, kw_only=True)
class PolynomialSchedule(_EveryFewSteps):
    """A ramp from `initial` at `begin` to `final` at `end`, steep first.

    Args:
        initial: Sparsity at `begin`, in [0, 1).
        final: Sparsity at the end, in [0, 1).
        power: Exponent of the ramp, above 0.
    """

    final: float
    initial: float = 0.0
    power: float = 3

    def sparsity(self, step: int, final: float | None = None) -> float:
        """The fraction of zeros at a step; `final` is the sparsity of a layer that has its own."""
        final = self.final if final is None else final
        if self.end is None or step >= self.end:
            return final
        done = np.float32(step - self.begin) / np.float32(self.end - self.begin)
        left = np.float32(1) - np.clip(done, np.float32(0), np.float32(1))
        return float(np.float32(self.initial - final) * np.power(left, np.float32(self.power)) + final)

    def with_end_for(self, steps: int) -> "PolynomialSchedule":
        """The same schedule with an end, for a training run of `steps` steps: after 3/4 of what is left."""
        return replace(self, end=self.begin + max(3 * (steps - self.begin) // 4, 0))


@dataclass(frozen=True, kw_only=True)
class FunctionSchedule(_EveryFewSteps):
    """A sparsity given by a user's function.

    Args:
        function: `step -> sparsity`.
    """

    function: StepFunction

    def sparsity(self, step: int, final: float | None = None) -> float:
        """The fraction of zeros at a step; here no layer has a `final` of its own."""
        return _check_returned(self.function(step), step)


@dataclass(frozen=True)
class TfmotSchedule:
    """A schedule object of tensorflow-model-optimization, which also decides when to prune.

    Args:
        schedule: `step -> (whether to prune, sparsity)`.
    """

    schedule: StepFunction

    @property
    def begin(self) -> int:
        """Its first step, if it has one."""
        return int(getattr(self.schedule, "begin_step", 0))

    def due(self, after: int, until: int) -> int | None:
        """The last step of `after < step <= until` at which to prune, or `None`."""
        steps = range(until, max(after, 0), -1)
        return next((step for step in steps if bool(self.schedule(step)[0])), None)

    def sparsity(self, step: int, final: float | None = None) -> float:
        """The fraction of zeros at a step; here no layer has a `final` of its own."""
        return _check_returned(self.schedule(step)[1], step)


Schedule: TypeAlias = ConstantSchedule | PolynomialSchedule | FunctionSchedule | TfmotSchedule


def _check_returned(value: Number, step: int) -> float:
    """Validate what a schedule returned, which may be a tensor."""
    array = np.asarray(value)
    return check_fraction(array.item() if array.size == 1 else value, f"schedule({step})")
