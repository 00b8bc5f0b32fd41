"""Calls that are timed in turns; those that other programs interrupt are repeated."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from keras_kd.deployment.arguments import check_integer
from keras_kd.deployment.source.input_shapes import InputShape

# Calls of one turn follow each other closely and are alike; what differs between turns shows how far the
# machine can be trusted. Hence so many turns, ...
TURNS = 15
# ... at least so many, with which the extremes hold the median in 95 % of cases, ...
FEWEST_TURNS = 6
# ... and none longer than this: caches are warm, and drift of the machine affects all calls equally.
_TURN_SECONDS = 0.02
# Before each turn, quick calls are made untimed for so long: after another file, the first ones are slow.
_WARM_SECONDS = 0.002
# Between its start and its end, a call that ran alone had the processor for at least this part of the time.
_HELD = 0.9
# On a busy machine, calls are repeated until this many times as many are made, or the seconds have passed.
_PATIENCE = 3


@dataclass(frozen=True)
class TimingOptions:
    """What is timed, and for how long.

    Args:
        batch_size: samples per call; `None` for those that the file or the model fixes, else 1.
        threads: threads of the interpreter; TensorFlow's own cannot be changed once it is running.
        runs: maximum number of timed calls.
        warmup: untimed calls before the first timed one.
        seconds: stop early after this time, but not before 6 runs; on a busy machine, after three times this.
        input_shape: the shape of one sample, where a model leaves sizes free; for several inputs a dict or
            list of shapes. Without it, several lengths are tried.

    Raises:
        ValueError: for invalid numbers.
    """

    batch_size: int | None = None
    threads: int = 1
    runs: int = 300
    warmup: int = 5
    seconds: float = 2.0
    input_shape: InputShape | None = None

    def __post_init__(self) -> None:
        if self.batch_size is not None:
            check_integer("batch_size", self.batch_size, 1)
        check_integer("runs", self.runs, 1)
        check_integer("warmup", self.warmup, 0)
        check_integer("threads", self.threads, 1)
        if not self.seconds > 0:
            raise ValueError(f"seconds must be more than 0; received {self.seconds!r}.")


class Timing(NamedTuple):
    """How long one call took, and for how long of it the processor worked on it, in seconds."""

    seconds: float
    held: float

    @property
    def alone(self) -> bool:
        """Whether no other program had the processor meanwhile."""
        return self.held >= _HELD * self.seconds


@dataclass
class TimedCall:
    """A call, and its times so far.

    Args:
        name: the file, or the name of the Keras model.
        kind: `"tflite"` or `"keras"`.
        threads: threads that it may use.
        device: the processor.
        call: what is timed.
        options: how often, and for how long.
        clock: seconds of processor time that the call has used so far; `None` if nothing tells.
        batch_size: samples per call.
        is_own_batch: whether nobody asked for that number: the file or the model fixes it.
        shapes: one sample of each input that has free sizes, by name.
        turns: the timings of each turn, by the number of the round.
        spent: seconds of all turns.
    """

    name: str
    kind: str
    threads: int
    device: str
    call: Callable[[], None]
    options: TimingOptions = field(default_factory=TimingOptions)
    clock: Callable[[], float] | None = None
    batch_size: int = 1
    is_own_batch: bool = False
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    turns: dict[int, list[Timing]] = field(default_factory=dict)
    spent: float = 0.0
    _alone: int = 0
    _least: float = math.inf

    def warm_up(self) -> None:
        """Call without timing, for at most half of the seconds."""
        began = time.perf_counter()
        for _ in range(self.options.warmup):
            self._time()
            if time.perf_counter() - began > self.options.seconds / 2:
                break

    def take_turn(self, number: int) -> None:
        """Time calls until the turn is over, at least one.

        Args:
            number: of the round, in which every call takes one turn.
        """
        began = now = time.perf_counter()
        while self._least < _WARM_SECONDS > now - began:
            self.call()
            now = time.perf_counter()
        turn = self.turns[number] = []
        most, left = math.ceil(self.options.runs / TURNS), _TURN_SECONDS
        # Not by the clock: the first call after an interruption is slow, and must not be the only one.
        while len(turn) < most and left > 0:
            turn.append(self._time())
            self._alone += turn[-1].alone
            left -= turn[-1].seconds
        self.spent += time.perf_counter() - began

    def _time(self) -> Timing:
        before = self.clock() if self.clock else 0.0
        start = time.perf_counter()
        self.call()
        seconds = time.perf_counter() - start
        # Both readings of the processor's clock lie outside: of a call that ran alone, they differ by more.
        held = self.clock() - before if self.clock else seconds
        self._least = min(self._least, seconds)
        return Timing(seconds, min(held, seconds))

    @property
    def is_quiet(self) -> bool:
        """Whether enough turns have calls that nothing interrupted."""
        quiet = sum(any(timing.alone for timing in turn) for turn in self.turns.values())
        return quiet >= min(FEWEST_TURNS, self.options.runs)

    @property
    def kept(self) -> dict[int, list[float]]:
        """Number of a round -> seconds of its calls: of those that nothing interrupted, if they suffice."""
        quiet = self.is_quiet
        kept = {
            number: [t.seconds for t in turn if t.alone or not quiet] for number, turn in self.turns.items()
        }
        return {number: turn for number, turn in kept.items() if turn}

    @property
    def medians(self) -> dict[int, float]:
        """Number of a round -> the median of the calls that are kept of it, in seconds."""
        return {number: float(np.median(seconds)) for number, seconds in self.kept.items()}

    @property
    def set_aside(self) -> int:
        """Calls that are not kept, because others had the processor meanwhile."""
        return sum(map(len, self.turns.values())) - sum(map(len, self.kept.values()))

    @property
    def is_done(self) -> bool:
        """Whether there are enough runs, or the time is up and there are at least a few."""
        options = self.options
        if self._alone >= options.runs or (self.is_quiet and self.spent >= options.seconds):
            return True
        few = len(self.turns) >= min(FEWEST_TURNS, options.runs)
        made = sum(map(len, self.turns.values()))
        return made >= _PATIENCE * options.runs or (few and self.spent >= _PATIENCE * options.seconds)


def time_in_turns(calls: Sequence[TimedCall]) -> None:
    """Warm up, then time calls in turns, so that disturbances of the machine affect all of them equally."""
    for call in calls:
        call.warm_up()
    waiting, number = list(calls), 0
    while waiting:
        for call in waiting:
            call.take_turn(number)
        waiting, number = [call for call in waiting if not call.is_done], number + 1
