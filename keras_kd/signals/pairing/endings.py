"""What ends at the output of a layer: a block, or a smaller part of a model."""

import enum

import keras

from keras_kd.keras_internals import layer_family

_MERGES = ("Add", "Average", "Concatenate", "Maximum")
# These repeat a signal, or are inside a layer that computes one.
_REPEATING_FAMILIES = ("regularization", "reshaping", "preprocessing")
_REPEATING_LAYERS = ("InputLayer", "Identity", "Masking")
# Softmax turns a signal into a prediction; what Activation is depends on its argument.
_NO_ACTIVATION_OF_BLOCKS = ("Activation", "Softmax")


class Ending(enum.IntEnum):
    """What ends at an output; the greater the value, the more likely it is the end of a block."""

    POOLING = -1
    OTHER = 0
    NORMALIZATION = 1
    ACTIVATION = 2
    BLOCK = 3


def ending_of(layer: keras.layers.Layer) -> Ending | None:
    """What ends at the output of a single layer; `None` if the layer only repeats a signal.

    Examples:
        >>> ending_of(keras.layers.Add()).name
        'BLOCK'
    """
    name, family = type(layer).__name__, layer_family(layer)
    if family in _REPEATING_FAMILIES or name in _REPEATING_LAYERS:
        return None
    if name in _MERGES:
        return Ending.BLOCK
    if family == "rnn" or (family == "activations" and name not in _NO_ACTIVATION_OF_BLOCKS):
        return Ending.ACTIVATION
    activation = getattr(getattr(layer, "activation", None), "__name__", "linear")
    if activation not in ("linear", "softmax", "sigmoid"):
        return Ending.ACTIVATION
    return {"normalization": Ending.NORMALIZATION, "pooling": Ending.POOLING}.get(family or "", Ending.OTHER)
