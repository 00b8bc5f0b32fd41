"""A schedule made from the arguments of `Prune`."""

import numpy as np

from keras_kd.compression.pruning.fractions import check_fraction, is_number
from keras_kd.compression.pruning.schedules import (
    ConstantSchedule,
    FunctionSchedule,
    PolynomialSchedule,
    Schedule,
    StepFunction,
    TfmotSchedule,
)
from keras_kd.messages import did_you_mean

_KINDS = ["polynomial", "constant"]
_TIMED = (
    "The schedule says how much to prune and when. Leave out `sparsity`, `begin`, `end` and `frequency`: "
    "kd.Prune(schedule=...)."
)


def make_schedule(
    sparsity: object,
    schedule: str | StepFunction,
    begin: int,
    end: int | None,
    frequency: int,
    initial: float,
    power: float,
) -> Schedule:
    """A schedule from the arguments of `Prune`.

    Raises:
        ValueError: Arguments are out of range or contradict each other.
    """
    _check_steps(begin, end, frequency)
    if not is_number(power) or not 0 < power < np.inf:
        raise ValueError(f"`power` must be a positive number. Received: {power!r}.")
    _check_kind(schedule)
    first = schedule(1) if callable(schedule) else None
    if callable(schedule) and isinstance(first, (tuple, list)):
        _check_pair(schedule, first)
        if (begin, end, frequency, sparsity) != (0, None, 100, None):
            raise ValueError(_TIMED)
        return _check_first_step(TfmotSchedule(schedule))
    final = 0.0 if sparsity is None else check_fraction(sparsity, "sparsity")
    initial = check_fraction(initial, "initial_sparsity")
    if callable(schedule):
        made = FunctionSchedule(function=schedule, begin=begin, end=end, frequency=frequency)
        made.sparsity(max(begin, 1))  # before that step it may return anything
        return made
    if schedule == "constant":
        return ConstantSchedule(final=final, begin=begin, end=end, frequency=frequency)
    return PolynomialSchedule(
        final=final, initial=initial, power=power, begin=begin, end=end, frequency=frequency
    )


def _check_steps(begin: int, end: int | None, frequency: int) -> None:
    for name, value, least in (("begin", begin, 0), ("end", end, 0), ("frequency", frequency, 1)):
        if name == "end" and value is None:
            continue
        if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < least:
            raise ValueError(
                f"`{name}` is an integer number of steps, at least {least}. Received: {value!r}."
            )
    if end is not None and end < begin:
        raise ValueError(f"`end` must not be before `begin`. Received: begin={begin}, end={end}.")


def _check_kind(schedule: object) -> None:
    if not callable(schedule) and schedule not in _KINDS:
        raise ValueError(
            f"`schedule` must be one of {_KINDS}, a function of the step, or a schedule of "
            f"tensorflow-model-optimization. Received: {schedule!r}.{did_you_mean(str(schedule), _KINDS)}"
        )
    if isinstance(schedule, type):
        raise ValueError(f"`schedule` is a class, {schedule.__name__}: give an instance of it.")


def _check_pair(schedule: object, returned: tuple[object, ...] | list[object]) -> None:
    if len(returned) != 2:
        raise ValueError(
            "A schedule returns a sparsity, or a pair: whether to prune, and the sparsity. "
            f"Received: {schedule!r}, which returns {returned!r}."
        )


def _check_first_step(schedule: TfmotSchedule) -> TfmotSchedule:
    if schedule.due(0, 1):
        schedule.sparsity(1)
    return schedule
