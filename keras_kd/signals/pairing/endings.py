"""What the output of a layer ends: a block, or a smaller part of a model."""

import enum

import keras

from keras_kd.keras_internals import layer_family

_MERGES = ("Add", "Average", "Concatenate", "Maximum")
# These repeat a signal, or are inside of what computes one.
_REPEATING_FAMILIES = ("regularization", "reshaping", "preprocessing")
_REPEATING_LAYERS = ("InputLayer", "Identity", "Masking")
# Softmax and the like turn a signal into an answer, and Activation says by its argument what it is.
_NO_ACTIVATION_OF_BLOCKS = ("Activation", "Softmax")


class Ending(enum.IntEnum):
    """What an output ends; the greater, the more a block is likely to end there."""

    POOLING = -1
    OTHER = 0
    NORMALIZATION = 1
    ACTIVATION = 2
    BLOCK = 3


def ending_of(layer: keras.layers.Layer) -> Ending | None:
    """What the output of a single layer ends; `None` where it repeats a signal and so is none of its own.

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
