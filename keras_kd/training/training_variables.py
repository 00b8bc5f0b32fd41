"""All variables that training depends on, as arrays and back."""

from collections.abc import Sequence

import keras
import numpy as np

from keras_kd.training.preserved_state import recurrent_states


def training_variables(model: keras.Model) -> list[keras.Variable]:
    """Weights, seeds, recurrent states and the optimizer's variables; the optimizer is built if needed."""
    optimizer, weights = model.optimizer, [*model.variables, *recurrent_states(model)]
    if optimizer is None:
        return weights
    if not optimizer.built:
        with model.distribute_strategy.scope():
            optimizer.build(model.trainable_variables)
    return [*weights, *optimizer.variables]


def require_variables(model: keras.Model) -> None:
    """Raise a `ValueError` if a model does not have all its weights yet."""
    if not (model.built and getattr(model, "prepared", True)):
        raise ValueError(
            f"kd.FullState restores weights before the first step, and {model.name!r} does not have all of "
            "them yet. Call the model once on a batch of data before `fit`. If it has projections, pass "
            "arrays or a tf.data.Dataset to `fit`, whose shapes are known."
        )


def read_values(variables: Sequence[keras.Variable]) -> list[np.ndarray]:
    """The value of each variable."""
    return [np.asarray(keras.ops.convert_to_numpy(variable)) for variable in variables]


def find_mismatch(variables: Sequence[keras.Variable], values: Sequence[np.ndarray]) -> str | None:
    """Why values cannot be assigned to variables, in words; `None` if they can."""
    saved, expected = ([tuple(array.shape) for array in arrays] for arrays in (values, variables))
    if saved == expected:
        return None
    differ = next((pair for pair in zip(saved, expected, strict=False) if pair[0] != pair[1]), None)
    first = f"; the first that differs has shape {differ[0]}, not {differ[1]}" if differ else ""
    return f"{len(saved)} were saved, and {len(expected)} are expected{first}"


def assign_values(
    model: keras.Model, variables: Sequence[keras.Variable], values: Sequence[np.ndarray]
) -> None:
    """Set variables of a model, in all replicas."""
    with model.distribute_strategy.scope():
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
