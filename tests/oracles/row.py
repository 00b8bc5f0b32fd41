"""What a row of the table of losses holds, and the inputs that it describes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from tests.oracles.measurement import Cost, Training


@dataclass(frozen=True)
class Labels:
    """Integers below `classes`, `(batch, *shape)`."""

    classes: int
    shape: tuple[int, ...] = ()


@dataclass(frozen=True)
class Fixed:
    """A signal without a batch axis, such as a kernel."""

    shape: tuple[int, ...]


@dataclass(frozen=True)
class Factor:
    """A signal that the loss multiplies with its like: at scale 1e4 the product has it, not the signal."""

    shape: tuple[int, ...]


@dataclass(frozen=True)
class Drawn:
    """Anything else: `draw(random, batch) -> array`; `moves` says whether its first axis is the batch."""

    draw: Callable[[np.random.Generator, int], np.ndarray]
    moves: bool = True


# A shape without the batch, one of the above, or a list of these for a loss that reads a tuple.
Spec = Any


@dataclass(frozen=True)
class Row:
    """A loss, its oracle, and inputs that it takes.

    make: gives the loss.
    oracle: `(teacher, student) -> (batch,)` in NumPy float64, sharing no code with the loss.
    teacher, student: the specs of the signals.
    zero_at_teacher: the value is 0 when the student equals the teacher.
    least_at_teacher: and nowhere less.
    mixes_samples: the value of a sample depends on the rest of the batch.
    reads_order: the value of a sample depends on which samples come before and after it.
    as_keras_loss: both arguments are one tensor, so that it fits compile(loss=...).
    references: case in tests/data/losses.npz -> key.
    tokens: specs whose axis 1 are five tokens, for a loss that takes a mask; else None.
    positions: "mean" or "sum" for a loss that is made of one value per position, which weights can weigh;
        "kept" for a mean over positions with a value that is not 0; else None.
    imitate: the student's signal that equals the teacher's.
    frozen: `(teacher, student) -> oracle` whose parts without a gradient are those of this student.
    tolerance: of the comparison with the oracle, in float32.
    half_extreme: the largest scale of float16 signals whose gradient float16 can still hold.
    training, cost: how `benchmarks/` train and time the loss; each exported loss has one row with both.
    """

    make: Callable[[], keras.losses.Loss]
    oracle: Callable[[Any, Any], np.ndarray]
    teacher: Spec
    student: Spec
    zero_at_teacher: bool = True
    least_at_teacher: bool = True
    mixes_samples: bool = False
    reads_order: bool = False
    as_keras_loss: bool = True
    references: dict[str, str] = field(default_factory=dict)
    tokens: tuple[Spec, Spec] | None = None
    positions: str | None = None
    imitate: Callable[[Any], Any] | None = None
    frozen: Callable[[Any, Any], Callable[[Any, Any], np.ndarray]] | None = None
    tolerance: float = 1e-4
    half_extreme: float = 1e4
    training: Training | None = None
    cost: Cost | None = None


def draw(spec, random, batch, scale=1.0):
    """Arrays of a spec; a tuple of them for a list."""
    if isinstance(spec, list):
        return tuple(draw(part, random, batch, scale) for part in spec)
    if isinstance(spec, Labels):
        return random.integers(0, spec.classes, (batch, *spec.shape))
    if isinstance(spec, Fixed):
        return random.normal(size=spec.shape)
    if isinstance(spec, Drawn):
        return spec.draw(random, batch)
    if isinstance(spec, Factor):
        return np.sqrt(scale) * random.normal(size=(batch, *spec.shape))
    return scale * random.normal(size=(batch, *spec))


def change(spec, signal, function, labels=True):
    """Apply a function to each array of a signal that has a batch axis (of labels too by default)."""
    if isinstance(spec, list):
        return tuple(change(*pair, function, labels) for pair in zip(spec, signal, strict=True))
    still = isinstance(spec, Fixed) or (isinstance(spec, Drawn) and not spec.moves)
    return signal if still or (isinstance(spec, Labels) and not labels) else function(signal)


def cast(signal, dtype):
    """Floating arrays in another dtype; labels stay."""
    if isinstance(signal, tuple):
        return tuple(cast(part, dtype) for part in signal)
    signal = np.asarray(signal)
    return keras.ops.cast(signal, dtype) if signal.dtype.kind == "f" else keras.ops.convert_to_tensor(signal)


def imitation(row, teacher):
    """The student's signal that equals the teacher's."""
    if row.imitate is not None:
        return row.imitate(teacher)
    if not isinstance(row.teacher, list):
        return teacher
    parts = [part for part, spec in zip(teacher, row.teacher, strict=True) if not isinstance(spec, Labels)]
    return parts[0] if len(parts) == 1 else tuple(parts)


def keys(cases, key):
    """One key of the reference values for several cases."""
    return dict.fromkeys(cases, key)


def softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def log_softmax(z):
    z = z - z.max(-1, keepdims=True)
    return z - np.log(np.exp(z).sum(-1, keepdims=True))


def rest(values):
    """Mean over every axis but the first."""
    return values.reshape(len(values), -1).mean(-1)


def pooled(maps, size):
    b, h, w, c = maps.shape
    return maps.reshape(b, size, h // size, size, w // size, c).mean((2, 4))
