"""One layer between two convolutions."""

import keras
from keras import layers

from keras_kd.compression.costs.memory import memory_of
from keras_kd.compression.costs.shaped import shaped
from tests.compression.costs.arena import arena_of


def planned_and_allocated(layer: layers.Layer) -> tuple[int, int]:
    """The arena as planned, and as LiteRT allocates it."""
    inputs = keras.Input((16, 16, 2))
    x = layer(layers.Conv2D(8, 1)(inputs))
    if len(x.shape) != 4:
        x = layers.Reshape((1, 1, -1))(x)
    model = keras.Model(inputs, layers.Conv2D(2, 1)(x))
    return memory_of(shaped(model)).peak, arena_of(model)
