"""MaskConstraint: keeps pruned weights at zero, from within the optimizer's step."""

from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from keras_kd.keras_internals import moving_average
from keras_kd.tensors import Tensor


class MaskConstraint(keras.constraints.Constraint):
    """The constraint on a weight while it is pruned; the optimizer applies it within its step.

    Args:
        variable: The weight. Its existing constraint, if any, is still applied.
        model: The model being trained.
    """

    def __init__(self, variable: keras.Variable, model: keras.Model) -> None:
        self.own: keras.constraints.Constraint | None = variable.constraint
        self.variable, self.model = variable, model
        # Keras creates a new one for each `fit`, so it tells one training run from another.
        self.history: keras.callbacks.History | None = getattr(model, "history", None)
        self.last_set: np.ndarray | None = None
        self.mask = keras.Variable(np.ones(variable.shape, bool), dtype="bool", trainable=False, name="mask")

    def __call__(self, w: Tensor) -> Tensor:
        self._mask_average()
        return self._apply_mask(w if self.own is None else self.own(self._apply_mask(w)))

    def _apply_mask(self, w: Tensor) -> Tensor:
        return ops.where(self.mask, w, ops.zeros((), w.dtype))  # a product would make -0.0, and NaN of NaN

    def _mask_average(self) -> None:
        average = moving_average(getattr(self.model, "optimizer", None), self.variable)
        if average is not None:
            average.assign(self._apply_mask(average))

    def detach(self) -> None:
        """Restore the constraint that the weight had before."""
        self.variable.constraint = self.own

    def set_mask(self, mask: np.ndarray) -> None:
        """Keep the weights where `mask` is true, and hold the others at zero from now on."""
        self.last_set = mask
        self.mask.assign(mask)
        self.variable.assign(self._apply_mask(self.variable))
        self._mask_average()


def attach_masks(variables: Sequence[keras.Variable], model: keras.Model) -> list[MaskConstraint]:
    """Make the optimizer keep the zeros of weights.

    Raises:
        ValueError: Another callback already does so in the same training run.
    """
    history = getattr(model, "history", None)
    present = [v.constraint for v in model.trainable_variables if isinstance(v.constraint, MaskConstraint)]
    active = [constraint for constraint in present if constraint.history is history is not None]
    pruned = {id(variable) for variable in variables}
    for constraint in present:
        # Left by a training run that was interrupted. Without a history, it may be of a callback of this run.
        if constraint not in active and (history is not None or id(constraint.variable) in pruned):
            constraint.detach()
    twice = [variable.path for variable in variables if variable.constraint in active]
    if twice:
        for constraint in active:
            constraint.detach()
        raise ValueError(
            f"Two kd.Prune callbacks prune {', '.join(map(repr, twice))}. Give each its own `layers`."
        )
    constraints = [MaskConstraint(variable, model) for variable in variables]
    for constraint in constraints:
        constraint.variable.constraint = constraint
    return constraints
