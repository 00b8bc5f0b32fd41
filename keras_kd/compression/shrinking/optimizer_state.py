"""The state of an optimizer, carried from a model to one that has a part of its weights."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np

from keras_kd.messages import one_line

# The part of an array of a weight's shape that stays: `cut(weight, array)`.
Part = Callable[[keras.Variable, np.ndarray], np.ndarray]


def compile_like(model: keras.Model, small: keras.Model, cut: Part) -> None:
    """Compile a model like another one, with a copy of its optimizer.

    Steps, moments and averages of the weights that stay are kept. What the optimizer holds in other shapes
    than those of the weights, as Adafactor does, starts anew.

    Args:
        model: The compiled model.
        small: The model with a part of its weights; its trainable weights have the same order.
        cut: The part of an array that stays.

    Raises:
        ValueError: The model is not compiled, or with something that cannot be made from its configuration.
    """
    if not model.compiled:
        raise ValueError(
            f"{model.name!r} is not compiled, so there is no optimizer to keep: keep_compiled=True."
        )
    try:
        small.compile_from_config(model.get_compile_config())
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"{model.name!r} cannot be compiled anew: {one_line(error)} Leave out keep_compiled=True, and "
            "compile the result yourself."
        ) from error
    old, new = model.optimizer, small.optimizer
    if not old.built:
        return
    if not new.built:
        new.build(small.trainable_variables)
    owners = {f"{variable.path.replace('/', '_')}_": variable for variable in model.trainable_variables}
    for before, after in zip(old.variables, new.variables, strict=True):
        value, owner = np.asarray(before), _owner(before, owners)
        if owner is not None and value.shape == tuple(owner.shape):
            value = cut(owner, value)
        if value.shape == tuple(after.shape):
            after.assign(value)


def _owner(slot: keras.Variable, owners: dict[str, keras.Variable]) -> keras.Variable | None:
    """The weight that a variable of an optimizer belongs to, by the name that Keras gives it."""
    name = slot.path.rsplit("/", 1)[-1]
    found = [prefix for prefix in owners if name.startswith(prefix)]
    return owners[max(found, key=len)] if found else None
