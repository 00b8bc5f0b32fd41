"""Masked: a constraint that keeps pruned weights at zero."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops


class Masked(keras.constraints.Constraint):
    """The constraint of a weight while it is pruned; the optimizer applies it inside of its step.

    Args:
        variable: The weight. A constraint that it has goes on to be applied.
        model: The model that is trained.
    """

    def __init__(self, variable: keras.Variable, model: keras.Model) -> None:
        self.own: Any = variable.constraint
        self.variable, self.model = variable, model
        self.training: Any = getattr(model, "history", None)  # Keras makes one for each `fit`
        self.held: np.ndarray | None = None
        self.mask = keras.Variable(np.ones(variable.shape, bool), dtype="bool", trainable=False, name="mask")

    def __call__(self, w: Any) -> Any:
        average = average_of(self.model.optimizer, self.variable)
        if average is not None:
            average.assign(self._masked(average))
        return self._masked(w if self.own is None else self.own(self._masked(w)))

    def _masked(self, w: Any) -> Any:
        return ops.where(self.mask, w, ops.zeros((), w.dtype))  # a product would make -0.0, and NaN of NaN

    def detach(self) -> None:
        """Put back the constraint that the weight had."""
        self.variable.constraint = self.own

    def hold(self, mask: np.ndarray) -> None:
        """Keep the weights where `mask` is true, and let the others be zero from now on."""
        self.held = mask
        self.mask.assign(mask)
        self.variable.assign(self._masked(self.variable))
        average = average_of(self.model.optimizer, self.variable)
        if average is not None:
            average.assign(self._masked(average))


def attached(variables: Sequence[keras.Variable], model: keras.Model) -> list[Masked]:
    """Let the optimizer keep the zeros of weights.

    Raises:
        ValueError: Another callback does so in the same training.
    """
    history = getattr(model, "history", None)
    all_of_them = [v.constraint for v in model.trainable_variables if isinstance(v.constraint, Masked)]
    now = [other for other in all_of_them if other.training is history is not None]
    for other in all_of_them:
        if other not in now:
            other.detach()  # of a training that was interrupted
    twice = [variable.path for variable in variables if variable.constraint in now]
    if twice:
        for other in now:
            other.detach()
        raise ValueError(f"Two kd.Prune prune {', '.join(map(repr, twice))}. Give each `layers` of its own.")
    constraints = [Masked(variable, model) for variable in variables]
    for constraint in constraints:
        constraint.variable.constraint = constraint
    return constraints


def average_of(optimizer: Any, variable: keras.Variable) -> Any:
    """The moving average that an optimizer with `use_ema` keeps of a weight, if there is one."""
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    if not (getattr(optimizer, "use_ema", False) and optimizer.built):
        return None
    known = optimizer._var_key(variable) in optimizer._trainable_variables_indices
    return (
        optimizer._model_variables_moving_average[optimizer._get_variable_index(variable)] if known else None
    )


def iterations(model: keras.Model) -> int:
    """How many batches the optimizer of a model has seen, or 0."""
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    return 0 if optimizer is None else int(optimizer._iterations.numpy())
