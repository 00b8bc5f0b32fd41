"""When to prune, and how much. Steps are counted from 1, as in tensorflow-model-optimization."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from keras_kd.messages import near

_SHAPES = ["polynomial", "constant"]


@dataclass(frozen=True)
class Schedule:
    """Prune every `frequency` steps from `begin` on, and at `end`.

    Args:
        final: Sparsity at the end, in [0, 1).
        initial: Sparsity at `begin`.
        begin: The first step; 0 and 1 are both the first batch.
        end: The last step, or `None`.
        frequency: Steps from one update to the next.
        power: Exponent of the ramp; 0 for none.
        function: `step -> sparsity`, instead of the ramp.
    """

    final: float
    initial: float = 0.0
    begin: int = 0
    end: int | None = None
    frequency: int = 100
    power: float = 3
    function: Callable[[int], Any] | None = None

    def due(self, after: int, until: int) -> int | None:
        """The last step of `after < step <= until` at which to prune, if there is one."""
        last = until if self.end is None else min(until, self.end)
        if last < self.begin:
            return None
        step = last if last == self.end else last - (last - self.begin) % self.frequency
        return step if step > after else None

    def sparsity(self, step: int, final: float | None = None) -> float:
        """The share of zeros at a step.

        Args:
            step: The step.
            final: Instead of the schedule's own, for a layer that has another.
        """
        if self.function is not None:
            return check_share(float(self.function(step)), f"schedule({step})")
        final = self.final if final is None else final
        if self.power == 0 or self.end is None:
            return final
        done = np.float32(step - self.begin) / np.float32(max(self.end - self.begin, 1))
        left = np.float32(1) - np.clip(done, np.float32(0), np.float32(1))
        return float(np.float32(self.initial - final) * np.power(left, np.float32(self.power)) + final)

    def ending(self, steps: int) -> "Schedule":
        """The same with an end, for a training of `steps` steps: after three quarters of what is left."""
        return replace(self, end=max(self.begin + 3 * (steps - self.begin) // 4, self.begin + 1))


@dataclass(frozen=True)
class Foreign:
    """A schedule of tensorflow-model-optimization: `schedule(step) -> (whether to prune, sparsity)`."""

    object: Any

    @property
    def begin(self) -> int:
        """Its first step, if it says."""
        return int(getattr(self.object, "begin_step", 0))

    @property
    def end(self) -> int | None:
        """Its last step, if it says and has one."""
        end = getattr(self.object, "end_step", -1)
        return None if end < 0 else int(end)

    def due(self, after: int, until: int) -> int | None:
        """The last step of `after < step <= until` at which to prune, if there is one."""
        steps = range(until, max(after, 0), -1)
        return next((step for step in steps if bool(self.object(step)[0])), None)

    def sparsity(self, step: int, final: float | None = None) -> float:
        """The share of zeros at a step."""
        return check_share(float(self.object(step)[1]), f"schedule({step})")


def make(
    sparsity: float | None,
    schedule: Any,
    begin: int,
    end: int | None,
    frequency: int,
    initial: float,
    power: float,
) -> Schedule | Foreign:
    """A schedule from the arguments of `Prune`.

    Raises:
        ValueError: Arguments that are out of range, or that do not fit each other.
    """
    for name, value, least in (("begin", begin, 0), ("end", end, 0), ("frequency", frequency, 1)):
        if (value is not None or name != "end") and not _is_count(value, least):
            raise ValueError(f"`{name}` is a whole number of steps, at least {least}. Received: {value!r}.")
    if end is not None and end < begin:
        raise ValueError(f"`end` must not be before `begin`. Received: begin={begin}, end={end}.")
    if not isinstance(power, (int, float)) or power <= 0:
        raise ValueError(f"`power` must be a positive number. Received: {power!r}.")
    if not callable(schedule) and schedule not in _SHAPES:
        raise ValueError(
            f"`schedule` must be one of {_SHAPES}, a function of the step, or a schedule of "
            f"tensorflow-model-optimization. Received: {schedule!r}.{near(str(schedule), _SHAPES)}"
        )
    if callable(schedule) and isinstance(schedule(1), (tuple, list)):
        if (begin, end, frequency, sparsity) != (0, None, 100, None):
            raise ValueError(
                "The schedule says how much to prune and when. Leave out `sparsity`, `begin`, `end` and "
                "`frequency`: kd.Prune(schedule=...)."
            )
        return Foreign(schedule)
    final = 0.0 if sparsity is None else check_share(sparsity, "sparsity")
    check_share(initial, "initial_sparsity")
    function = schedule if callable(schedule) else None
    flat = function is not None or schedule == "constant"
    return Schedule(final, initial, begin, end, frequency, 0 if flat else power, function)


def check_share(value: Any, name: str) -> float:
    """A number in [0, 1), or a `ValueError`."""
    real = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    if not real or not 0 <= value < 1:
        hint = f" Did you mean {value / 100:g}?" if real and 1 < value < 100 else ""
        raise ValueError(f"`{name}` is the share of zeros, from 0 to less than 1. Received: {value!r}.{hint}")
    return float(value)


def _is_count(value: Any, least: int) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool) and bool(value >= least)
