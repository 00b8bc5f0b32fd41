"""What a checkpoint of `FullState` must hold, checked before any of it is used."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from keras_kd.training.random_state import is_random_state


def check_values(path: Path, values: Mapping[str, Any]) -> None:
    """Raise a `ValueError` that names the first value that no `FullState` has written.

    Args:
        path: The file that the values come from.
        values: They.
    """
    for key, fits in _VALUES.items():
        if not fits(values[key]):
            raise ValueError(
                f"{path} is not a checkpoint written by kd.FullState, or it is damaged: it has no usable "
                f"{key!r}. Delete it, or choose another path."
            )


def check_position(
    path: Path, values: Mapping[str, Any], epochs: int, steps: int | None, together: int = 1
) -> None:
    """Raise a `ValueError` unless a checkpoint lies within the training that is to resume from it.

    Args:
        path: The file that the values come from.
        values: They.
        epochs: How many epochs `fit` was asked for.
        steps: Batches per epoch, if Keras knows.
        together: Batches per call of the train function; Keras counts the last call of an epoch in full.
    """
    epoch, batch, first = values["epoch"], values["batch"], values["first"]
    problem = None
    if epoch > epochs:
        problem = f"after {epoch} epochs, but this `fit` ends after {epochs}: pass epochs={epoch} or more"
    elif first > epoch:
        problem = f"in epoch {epoch + 1} of a training that began with epoch {first + 1}"
    elif steps is not None and batch > -(-steps // together) * together:
        problem = f"after {batch} batches of an epoch, but an epoch has {steps}: pass the same data"
    if problem is not None:
        raise ValueError(f"{path} was saved {problem}. Or delete it to start from the beginning.")


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _are_arrays(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(array, np.ndarray) and array.dtype.kind not in "OSUMm" for array in value
    )


def _are_attributes(value: object) -> bool:
    """Whether a value is a list of pairs: the name of a class, and the attributes of an object of it."""
    return isinstance(value, list) and all(
        isinstance(entry, list)
        and len(entry) == 2
        and isinstance(entry[0], str)
        and isinstance(entry[1], dict)
        and all(isinstance(name, str) for name in entry[1])
        for entry in value
    )


# Keys of the file, whose older versions must stay readable -> whether a value can be one.
_VALUES: dict[str, Callable[[object], bool]] = {
    "epoch": _is_count,
    "batch": _is_count,
    "first": _is_count,
    "optimizer": lambda value: isinstance(value, str),
    "epoch_random": is_random_state,
    "stopped": lambda value: isinstance(value, bool),
    "weights": _are_arrays,
    "metrics": _are_arrays,
    "random": is_random_state,
    "callbacks": _are_attributes,
}
KEYS = tuple(_VALUES)
