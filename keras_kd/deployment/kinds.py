"""What an object is: of Keras 3 or tf_keras, and wrapped by tensorflow-model-optimization or not."""

from __future__ import annotations

import functools
import sys
from typing import Any

import keras

from keras_kd.legacy import is_wrapper


def kinds(path: str) -> tuple[type[Any], ...]:
    """Find a class of Keras 3, and the one of tf_keras where its models can exist.

    Examples:
        >>> kinds("layers.RNN")[0] is keras.layers.RNN
        True
    """
    modules: list[Any] = [module for module in (keras, sys.modules.get("tf_keras")) if module]
    return tuple(functools.reduce(getattr, path.split("."), module) for module in modules)


def is_tf_keras_tensor(value: Any) -> bool:
    """Tell whether this is a symbolic tensor of tf_keras, such as the input of a functional model."""
    tf_keras = sys.modules.get("tf_keras")
    return tf_keras is not None and isinstance(value, type(tf_keras.Input(())))


def wrapper_of(layer: Any) -> str | None:
    """Name what tensorflow-model-optimization wrapped a layer in, where the layer is such a wrapper.

    Returns:
        `"PruneLowMagnitude"`, `"ClusterWeights"`, `"QuantizeAnnotate"`, `"QuantizeWrapper"` or `None`.
    """
    if not is_wrapper(layer):
        return None
    names = {kind.__name__ for kind in type(layer).__mro__}
    wrappers = ("PruneLowMagnitude", "ClusterWeights", "QuantizeAnnotate", "QuantizeWrapper")
    return next((name for name in wrappers if name in names), None)
