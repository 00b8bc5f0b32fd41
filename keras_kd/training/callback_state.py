"""What callbacks have learnt since training began, and the numbers that random generators stand at."""

import copy
import random
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras.src.random.seed_generator import global_seed_generator

from keras_kd.training import state_file

Callbacks = Sequence[keras.callbacks.Callback]


def note(callbacks: Callbacks) -> list[dict[str, Any]]:
    """What callbacks hold now, to tell later what changed."""
    return [copy.deepcopy(_attributes(callback)) for callback in callbacks]


def changes(callbacks: Callbacks, before: list[dict[str, Any]]) -> list[Any]:
    """The attributes that are not as they were noted: these are state, the others are arguments."""
    found = []
    for callback, old in zip(callbacks, before, strict=True):
        now = _attributes(callback)
        changed = {name: v for name, v in now.items() if name not in old or not _same(v, old[name])}
        found.append([type(callback).__name__, changed])
    return found


def restore(callbacks: Callbacks, saved: list[Any]) -> None:
    """Give callbacks the `changes` of an earlier run; the n-th of a class gets those of the n-th."""
    waiting = list(saved)
    for callback in callbacks:
        mine = next((entry for entry in waiting if entry[0] == type(callback).__name__), None)
        if mine is not None:
            waiting.remove(mine)
            for name, value in mine[1].items():
                setattr(callback, name, copy.deepcopy(value))  # what was read may be needed again


def _attributes(callback: keras.callbacks.Callback) -> dict[str, Any]:
    of_keras = ["params", "_model"]
    if hasattr(callback, "monitor_op"):
        of_keras.append("min_delta")  # turned round, once, when the operation is chosen, which is not stored
    held = {name: value for name, value in vars(callback).items() if name not in of_keras}
    return {name: value for name, value in held.items() if state_file.storable(value)}


def _same(a: Any, b: Any) -> bool:
    left, right = keras.tree.flatten(a), keras.tree.flatten(b)
    return len(left) == len(right) and all(map(np.array_equal, left, right)) and type(a) is type(b)


def random_numbers() -> dict[str, Any]:
    """The state of the global generators of Keras, NumPy and Python."""
    version, state, gauss = random.getstate()
    return {
        "keras": keras.ops.convert_to_numpy(global_seed_generator().state),
        "numpy": list(np.random.get_state()),  # noqa: NPY002 (the global one is what data sets use)
        "python": [version, np.asarray(state), gauss],
    }


def restore_random_numbers(saved: dict[str, Any]) -> None:
    """Set the global generators to what `random_numbers` has returned."""
    global_seed_generator().state.assign(saved["keras"])
    np.random.set_state(tuple(saved["numpy"]))  # noqa: NPY002
    version, state, gauss = saved["python"]
    random.setstate((version, tuple(map(int, state)), gauss))
