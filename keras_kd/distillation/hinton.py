"""Hinton's blend of two losses: what a Distiller without objectives trains on."""

from collections.abc import Sequence

from keras_kd import losses
from keras_kd.distillation.objective_arguments import LossLike
from keras_kd.distillation.objectives import Objective, as_objectives
from keras_kd.tensors import Scheduled


class Default(float):
    """A default value that can be told apart from the same number given by the user."""


TEMPERATURE, ALPHA = Default(4.0), Default(0.1)


def default_objectives(
    objectives: Sequence[Objective | LossLike] | None, temperature: Scheduled, alpha: float
) -> list[Objective]:
    """The given objectives, or the soft half of the blend.

    Raises:
        ValueError: `alpha` is outside [0, 1], or `temperature` or `alpha` is given along with objectives.
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
    return as_objectives(objectives)
