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
