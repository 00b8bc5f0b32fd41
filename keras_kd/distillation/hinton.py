"""Hinton's blend of two losses: what a Distiller without objectives trains on."""

from collections.abc import Sequence

import keras

from keras_kd import losses
from keras_kd.distillation.objective_arguments import LossLike
from keras_kd.distillation.objectives import Objective
from keras_kd.tensors import Scheduled


class Default(float):
    """A default value that can be told apart from the same number given by the user."""


TEMPERATURE, ALPHA = Default(4.0), Default(0.1)


def default_objectives(
    objectives: Sequence[Objective | LossLike] | None,
    temperature: Scheduled,
    alpha: float,
    several_views: bool = False,
) -> list[Objective]:
    """The given objectives, or the soft half of the blend.

    Args:
        objectives: Those that are given.
        temperature: Of the soft targets.
        alpha: The weight of the hard loss.
        several_views: Whether the student sees several views of its inputs, so that a signal of it may learn
            from the same signal.

    Raises:
        ValueError: `alpha` is outside [0, 1]; `temperature` or `alpha` is given along with objectives; a
            signal of the student is compared with itself.
    """
    if objectives is None:
        if not 0 <= alpha <= 1:
            raise ValueError(
                f"`alpha` is the weight of the hard loss, from 0 to 1. Received: alpha={alpha!r}."
            )
        return [Objective(losses.SoftTargets(temperature), weight=1 - float(alpha))]
    if not (isinstance(temperature, Default) and isinstance(alpha, Default)):
        raise ValueError(
            "`temperature` and `alpha` belong to the blend without objectives. With `objectives`, write "
            "kd.Objective(kd.losses.SoftTargets(temperature), weight=...) and compile(loss_weights=...)."
        )
    found = as_objectives(objectives)
    for objective in found:
        if (
            objective.own_taps
            and set(objective.own_taps) <= set(objective.student_taps)
            and not several_views
        ):
            raise ValueError(
                f"Objective {objective.name!r} compares the student's {objective.own_taps[0]!r} with itself. "
                "Give the tap that is to learn from it: student='exit1'."
            )
    return found


def as_objectives(given: Sequence[Objective | LossLike]) -> list[Objective]:
    """Objectives from a list of objectives and bare losses; their names must be distinct."""
    if isinstance(given, (str, Objective, keras.losses.Loss)) or not isinstance(given, Sequence):
        raise TypeError(f"`objectives` must be a list of Objectives or losses. Received: {given!r}.")
    if not given:
        raise ValueError(
            "`objectives` is empty, so there is nothing to distill. Leave it out for Hinton's blend."
        )
    objectives = [o if isinstance(o, Objective) else Objective(o) for o in given]
    names = [objective.name for objective in objectives]
    taken = [name for name in names if names.count(name) > 1 or name in ("loss", "student_loss")]
    if taken:
        raise ValueError(
            f"Objectives are logged by name, and {taken[0]!r} is taken. Give each its own `name`."
        )
    return objectives
