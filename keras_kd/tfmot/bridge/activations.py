"""Activation functions of one library as the other takes them."""

from collections.abc import Callable
from typing import Any, TypeAlias

import keras

from keras_kd.tensors import Tensor
from keras_kd.tfmot.bridge.directions import Direction

Activation: TypeAlias = Callable[..., Any]

# What both libraries compute identically, under the same name. `hard_sigmoid` is in both too, but differs.
SHARED = (
    *("elu", "exponential", "gelu", "linear", "mish", "relu", "selu", "sigmoid", "softmax"),
    *("softplus", "softsign", "swish", "tanh"),
)


@keras.saving.register_keras_serializable("keras_kd")
def tf_keras_hard_sigmoid(x: Tensor) -> Tensor:
    """`hard_sigmoid` as tf_keras computes it: 0.2 x + 0.5, clipped to [0, 1]."""
    return keras.ops.clip(0.2 * x + 0.5, 0.0, 1.0)


def equal_pairs(direction: Direction) -> list[tuple[Activation, Activation]]:
    """Pairs of functions, of the source's and the target's library, that compute the same."""
    source, target = direction.source.activations, direction.target.activations
    equal = [(getattr(source, name), getattr(target, name)) for name in SHARED]
    tf_keras = target if direction.forward else source
    odd = (tf_keras_hard_sigmoid, tf_keras.hard_sigmoid)
    return [*equal, odd if direction.forward else odd[::-1]]


def translate_activation(function: Activation, direction: Direction) -> Activation:
    """The activation for a layer of the target's library; a function that it lacks is used as it is."""
    for source, target in equal_pairs(direction):
        if function is source:
            return target
    if direction.forward and is_keras_activation(function):
        # tf_keras saves and finds it by this name; it would take "hard_sigmoid" for its own.
        register = direction.target.saving.register_keras_serializable("keras3", function.__name__)
        return register(function)
    return function


def is_keras_activation(function: Activation) -> bool:
    """Whether a function is one of `keras.activations`, under its own name."""
    name = getattr(function, "__name__", "")
    return getattr(keras.activations, name, None) is function
