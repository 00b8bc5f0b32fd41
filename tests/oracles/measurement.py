"""How a loss is trained by `benchmarks/training.py`, and on what tensors `benchmarks/losses.py` times it."""

from collections.abc import Callable
from dataclasses import dataclass

import keras

import keras_kd as kd


@dataclass(frozen=True)
class Training:
    """An objective, given the teacher; the models and labels that it needs; and how long it trains.

    task: a key of `TASKS` in `benchmarks/training.py`.
    rate: the learning rate at the start.
    """

    objective: Callable[[keras.Model], kd.Objective]
    task: str = "digits"
    rate: float = 4e-3
    epochs: int = 20


def train_output(loss, **more):
    return Training(lambda teacher: kd.Objective(loss()), **more)


def train_labelled(loss, **more):
    return Training(lambda teacher: kd.Objective(loss(), teacher=("output", "labels")), **more)


def train_feature(loss, tap, project=None, **more):
    """One tap, or a tuple of them, of the same name in both models; `project` makes a projection."""

    def objective(teacher):
        projection = project() if callable(project) else project
        return kd.Objective(loss(), student=tap, teacher=tap, project=projection)

    return Training(objective, **more)


def train_attention(loss, *parts):
    return train_feature(loss, tuple(f"attention/{part}" for part in parts), task="tokens")


@dataclass(frozen=True)
class Cost:
    """What the signals are made of: a key of `FULL` in `benchmarks/losses.py`, or a list for a tuple.

    make: gives the loss for these sizes; `None`: the row's own.
    """

    teacher: str | list[str]
    student: str | list[str]
    make: Callable[[dict[str, tuple[int, ...]]], keras.losses.Loss] | None = None


LOGITS, MAP, VECTOR = (Cost(size, size) for size in ("logits", "map", "vector"))
LABELLED_LOGITS = Cost(["logits", "labels"], "logits")
