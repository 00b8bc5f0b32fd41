"""When to prune, and how much. Steps are counted from 1, as in tensorflow-model-optimization."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from keras_kd.messages import did_you_mean

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
            return _returned(self.function(step), step)
        final = self.final if final is None else final
        if self.power == 0 or self.end is None or step >= self.end:
            return final
        done = np.float32(step - self.begin) / np.float32(self.end - self.begin)
        left = np.float32(1) - np.clip(done, np.float32(0), np.float32(1))
        return float(np.float32(self.initial - final) * np.power(left, np.float32(self.power)) + final)

    def ending(self, steps: int) -> "Schedule":
        """The same with an end, for a training of `steps` steps: after three quarters of what is left."""
        return replace(self, end=self.begin + max(3 * (steps - self.begin) // 4, 0))

    @property
    def ramps(self) -> bool:
        """Whether the sparsity grows towards `end`."""
        return self.power > 0


@dataclass(frozen=True)
class Foreign:
    """A schedule of tensorflow-model-optimization: `schedule(step) -> (whether to prune, sparsity)`."""

    object: Any
    ramps = False  # as far as is known

    @property
    def begin(self) -> int:
        """Its first step, if it says."""
        return int(getattr(self.object, "begin_step", 0))

    def due(self, after: int, until: int) -> int | None:
        """The last step of `after < step <= until` at which to prune, if there is one."""
        steps = range(until, max(after, 0), -1)
        return next((step for step in steps if bool(self.object(step)[0])), None)

    def sparsity(self, step: int, final: float | None = None) -> float:
        """The share of zeros at a step."""
        return _returned(self.object(step)[1], step)


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
    if not _is_number(power) or not 0 < power < np.inf:
        raise ValueError(f"`power` must be a positive number. Received: {power!r}.")
    if not callable(schedule) and schedule not in _SHAPES:
        raise ValueError(
            f"`schedule` must be one of {_SHAPES}, a function of the step, or a schedule of "
            f"tensorflow-model-optimization. Received: {schedule!r}.{did_you_mean(str(schedule), _SHAPES)}"
        )
    if isinstance(schedule, type):
        raise ValueError(f"`schedule` is a class, {schedule.__name__}: give an object of it.")
    first = schedule(1) if callable(schedule) else None
    if isinstance(first, (tuple, list)):
        if len(first) != 2:
            raise ValueError(
                "A schedule returns a sparsity, or a pair: whether to prune, and the sparsity. "
                f"Received: {schedule!r}, which returns {first!r}."
            )
        if (begin, end, frequency, sparsity) != (0, None, 100, None):
            raise ValueError(
                "The schedule says how much to prune and when. Leave out `sparsity`, `begin`, `end` and "
                "`frequency`: kd.Prune(schedule=...)."
            )
        found = Foreign(schedule)
        if found.due(0, 1):
            found.sparsity(1)
        return found
    final = 0.0 if sparsity is None else check_share(sparsity, "sparsity")
    check_share(initial, "initial_sparsity")
    function = schedule if callable(schedule) else None
    flat = function is not None or schedule == "constant"
    made = Schedule(final, initial, begin, end, frequency, 0 if flat else power, function)
    made.sparsity(max(begin, 1))  # before that a function may return anything
    return made


def _returned(value: Any, step: int) -> float:
    """What a schedule returned, which may be a tensor."""
    array = np.asarray(value)
    return check_share(array.item() if array.size == 1 else value, f"schedule({step})")


def check_share(value: Any, name: str) -> float:
    """A number in [0, 1), or a `ValueError`."""
    real = _is_number(value)
    if not real or not 0 <= value < 1:
        hint = f" Did you mean {value / 100:g}?" if real and 1 < value < 100 else ""
        hint = did_you_mean(value.lower(), ["keep"]) if isinstance(value, str) else hint
        raise ValueError(f"`{name}` is the share of zeros, from 0 to less than 1. Received: {value!r}.{hint}")
    return float(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)


def _is_count(value: Any, least: int) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool) and bool(value >= least)
