"""Objectives as they are typed; without Keras, so that mistakes in them are told at once."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from keras_kd.loss_names import one_spelling


class ObjectiveSpec(NamedTuple):
    """An objective as it is typed."""

    loss: str
    student: str
    teacher: str
    weight: float


def parse_objective(text: str) -> ObjectiveSpec:
    """The parts of an objective, such as `"0.5*mse:block2:block4"`.

    Raises:
        ValueError: It is written in another way, or its weight is no finite number of at least 0.

    Examples:
        >>> from keras_kd.jobs.objective_specs import parse_objective
        >>> parse_objective("mse:shared:1:block4")
        ObjectiveSpec(loss='mse', student='shared:1', teacher='block4', weight=1.0)
    """
    weight, star, rest = text.rpartition("*")
    parts: list[str] = []
    for part in (rest or text).split(":"):
        if part.isdecimal() and len(parts) > 1:
            parts[-1] += f":{part}"  # a call of a layer that runs several times
        else:
            parts.append(part)
    try:
        factor = float(weight) if star else 1.0
    except ValueError:
        parts = []
    if len(parts) != 3 or not all(parts):
        raise ValueError(
            "An objective is written LOSS:STUDENT_TAP:TEACHER_TAP, such as mse:block2:block4, or with a "
            f"weight, 0.5*mse:block2:block4; keras-kd taps MODEL lists the taps. Received: {text!r}."
        )
    if not 0 <= factor < math.inf:
        raise ValueError(
            f"The weight of an objective is a finite number of at least 0. Received: {weight} in {text!r}."
        )
    return ObjectiveSpec(parts[0], parts[1], parts[2], factor)


def check_objectives(texts: Sequence[str]) -> None:
    """Check that objectives are written as such, and that no two of them are the same.

    Raises:
        ValueError: One is written in another way, or two have the same loss and taps.

    Examples:
        >>> check_objectives(["mse:a:b", "mse:a:c"])
    """
    seen: dict[tuple[str, ...], str] = {}
    for text in texts:
        loss, *taps, _ = parse_objective(text)
        key = (one_spelling(loss), *taps)
        if key in seen:
            raise ValueError(
                f"The objectives {seen[key]!r} and {text!r} compare the same taps with the same loss. Keep "
                f"one of them; a weight says how much it counts, as in 2*{':'.join((loss, *taps))}."
            )
        seen[key] = text
