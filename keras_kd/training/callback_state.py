"""The state of callbacks: which of their attributes have changed since training began."""

import abc
import copy
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_kd.keras_internals import CALLBACK_ATTRIBUTES
from keras_kd.training.state_file import is_storable

Callbacks = Sequence[keras.callbacks.Callback]


class StateElsewhere(abc.ABC):
    """A callback with state in other places than its attributes, such as variables."""

    @abc.abstractmethod
    def store_state(self) -> None:
        """Copy that state to attributes; called before they are looked at."""


def snapshot(callbacks: Callbacks) -> list[dict[str, Any]]:
    """A copy of the current attributes of callbacks, to find out later what has changed."""
    return [copy.deepcopy(_attributes(callback)) for callback in callbacks]


def changed_attributes(callbacks: Callbacks, before: Sequence[dict[str, Any]]) -> list[Any]:
    """The attributes that differ from a `snapshot`: these are state, the others are arguments."""
    found = []
    for callback, old in zip(callbacks, before, strict=True):
        now = _attributes(callback)
        changed = {name: v for name, v in now.items() if name not in old or not _equal(v, old[name])}
        found.append([type(callback).__name__, changed])
    return found


def restore_attributes(callbacks: Callbacks, saved: Sequence[Any]) -> None:
    """Restore the `changed_attributes` of an earlier run; callbacks of the same class match by order."""
    waiting = list(saved)
    for callback in callbacks:
        mine = next((entry for entry in waiting if entry[0] == type(callback).__name__), None)
        if mine is not None:
            waiting.remove(mine)
            for name, value in mine[1].items():
                setattr(callback, name, copy.deepcopy(value))  # the saved value may be needed again


def _attributes(callback: keras.callbacks.Callback) -> dict[str, Any]:
    if isinstance(callback, StateElsewhere):
        callback.store_state()
    left_out = list(CALLBACK_ATTRIBUTES)
    if hasattr(callback, "monitor_op"):
        # Its sign is flipped once, when the operation is chosen, and the operation cannot be stored.
        left_out.append("min_delta")
    held = {name: value for name, value in vars(callback).items() if name not in left_out}
    return {name: value for name, value in held.items() if is_storable(value)}


def _equal(a: object, b: object) -> bool:
    left, right = keras.tree.flatten(a), keras.tree.flatten(b)
    return len(left) == len(right) and all(map(np.array_equal, left, right)) and type(a) is type(b)
