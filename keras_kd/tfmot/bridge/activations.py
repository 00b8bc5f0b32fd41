"""Activation functions of one library as the other takes them."""

from typing import Any

import keras

from keras_kd.tfmot.bridge.directions import Direction

# What both libraries compute alike, under the same name. tf_keras's `hard_sigmoid` is another function
# than Keras 3's, though both know the name.
SHARED = (
    *("elu", "exponential", "gelu", "linear", "mish", "relu", "selu", "sigmoid", "softmax"),
    *("softplus", "softsign", "swish", "tanh"),
)


@keras.saving.register_keras_serializable("keras_kd")
def tf_keras_hard_sigmoid(x: Any) -> Any:
    """`hard_sigmoid` as tf_keras computes it: 0.2 x + 0.5, cut off at 0 and 1."""
    return keras.ops.clip(0.2 * x + 0.5, 0.0, 1.0)


def pairs(direction: Direction) -> list[tuple[Any, Any]]:
    """Functions of the source's library and their equals in the target's."""
    source, target = direction.source.activations, direction.target.activations
    equal = [(getattr(source, name), getattr(target, name)) for name in SHARED]
    tf_keras = target if direction.forward else source
    odd = (tf_keras_hard_sigmoid, tf_keras.hard_sigmoid)
    return [*equal, odd if direction.forward else odd[::-1]]


def activation(function: Any, direction: Direction) -> Any:
    """The activation for a layer of the target's library; functions that are not shared are called."""
    for source, target in pairs(direction):
        if function is source:
            return target
    if direction.forward and is_keras(function):
        # By this name tf_keras saves it, and finds it again; it would take "hard_sigmoid" for its own.
        register = direction.target.saving.register_keras_serializable("keras3", function.__name__)
        return register(function)
    return function


def is_keras(function: Any) -> bool:
    """Whether a function is one of `keras.activations`, under its own name."""
    name = getattr(function, "__name__", "")
    return getattr(keras.activations, name, None) is function
