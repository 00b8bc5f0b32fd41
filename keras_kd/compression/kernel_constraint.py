"""Constraints that callbacks put on kernels while a model trains, around those that the kernels have."""

from collections.abc import Iterator, Sequence
from typing import ClassVar

import keras
import numpy as np

from keras_kd.keras_internals import moving_average


class KernelConstraint(keras.constraints.Constraint):
    """The constraint on a weight during training; the optimizer applies it within its step.

    Args:
        variable: The weight. Its existing constraint, if any, is still applied.
        model: The model being trained.
    """

    what: ClassVar[str]  # what its callback does, such as "kd.Prune callbacks prune"
    is_inner: ClassVar[bool]  # whether it is applied before those of other callbacks

    def __init__(self, variable: keras.Variable, model: keras.Model) -> None:
        self.own: keras.constraints.Constraint | None = variable.constraint
        self.variable, self.model = variable, model
        # Keras creates a new one for each `fit`, so it tells one training run from another.
        self.history: keras.callbacks.History | None = getattr(model, "history", None)
        self.last_set: np.ndarray | None = None  # the mask, or the cluster of each weight

    def average(self) -> keras.Variable | None:
        """The moving average that the optimizer keeps of the weight, if it does."""
        return moving_average(getattr(self.model, "optimizer", None), self.variable)

    def attach(self) -> None:
        """Constrain the weight from now on."""
        around = list(constraints_of(self.variable)) if self.is_inner else []
        if around:
            self.own, around[-1].own = around[-1].own, self
        else:
            self.own, self.variable.constraint = self.variable.constraint, self

    def detach(self) -> None:
        """Restore what the weight had before."""
        if self.variable.constraint is self:
            self.variable.constraint = self.own
        for outer in constraints_of(self.variable):
            if outer.own is self:
                outer.own = self.own


def constraints_of(variable: keras.Variable) -> Iterator[KernelConstraint]:
    """The constraints that callbacks put on a weight, the outermost first."""
    constraint = variable.constraint
    while isinstance(constraint, KernelConstraint):
        yield constraint
        constraint = constraint.own


def attach_constraints(constraints: Sequence[KernelConstraint], model: keras.Model) -> None:
    """Constrain weights, and remove what earlier training runs have left on the weights of a model.

    Args:
        constraints: Those of one callback.
        model: The model being trained.

    Raises:
        ValueError: Another callback of the same kind already does so in the same training run.
    """
    history, kind = getattr(model, "history", None), type(constraints[0])
    present = [constraint for v in model.trainable_variables for constraint in constraints_of(v)]
    active = [constraint for constraint in present if constraint.history is history is not None]
    chosen = {id(constraint.variable) for constraint in constraints}
    for constraint in present:
        # Left by a training run that was interrupted. Without a history, it may be of a callback of this run.
        again = isinstance(constraint, kind) and id(constraint.variable) in chosen
        if constraint not in active and (history is not None or again):
            constraint.detach()
    twice = [c.variable.path for c in active if isinstance(c, kind) and id(c.variable) in chosen]
    if twice:
        for constraint in active:
            constraint.detach()
        raise ValueError(f"Two {kind.what} {', '.join(map(repr, twice))}. Give each its own `layers`.")
    for constraint in constraints:
        constraint.attach()
