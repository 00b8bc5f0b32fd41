"""The state of the global random generators of Keras, NumPy and Python."""

import random
from typing import Any

import keras
import numpy as np

from keras_kd.keras_internals import global_generator


def read_random_state() -> dict[str, Any]:
    """The state of all three, as plain values and arrays."""
    version, state, gauss = random.getstate()
    return {
        "keras": keras.ops.convert_to_numpy(global_generator().state),
        "numpy": list(np.random.get_state()),  # noqa: NPY002 (data sets use the global generator)
        "python": [version, np.asarray(state), gauss],
    }


def restore_random_state(saved: dict[str, Any]) -> None:
    """Set the generators to a state that `read_random_state` returned."""
    global_generator().state.assign(saved["keras"])
    np.random.set_state(tuple(saved["numpy"]))  # noqa: NPY002
    version, state, gauss = saved["python"]
    random.setstate((version, tuple(map(int, state)), gauss))


def is_random_state(value: object) -> bool:
    """Whether `restore_random_state` can restore a value: the generators themselves decide."""
    try:
        keras_state = value["keras"]  # type: ignore[index]
        np.random.RandomState().set_state(tuple(value["numpy"]))  # type: ignore[index]
        version, state, gauss = value["python"]  # type: ignore[index]
        random.Random().setstate((version, tuple(map(int, state)), gauss))
    except (TypeError, ValueError, KeyError, IndexError, OverflowError):
        return False
    return isinstance(keras_state, np.ndarray) and keras_state.shape == tuple(global_generator().state.shape)
