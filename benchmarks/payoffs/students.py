"""The students: a convolution's bias towards neighborhoods, or none."""

import keras
from keras import layers


def mlp(shape):
    """Three dense layers: 60,546 parameters for images of 28 x 28."""
    x = inputs = keras.Input(shape, name="image")
    x = layers.Flatten()(x)
    for units in (70, 64):
        x = layers.Dense(units, use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    return keras.Model(inputs, layers.Dense(10, name="logits")(x), name="mlp")


class Positions(layers.Layer):
    """Adds a trained vector to the token at each place."""

    def build(self, shape):
        self.table = self.add_weight(
            shape=shape[1:], initializer=keras.initializers.RandomNormal(stddev=0.02)
        )

    def call(self, x):
        return x + self.table


def vit(shape, width=40, blocks=3, heads=4):
    """A small vision transformer (arXiv 2010.11929): 42,850 parameters for images of 28 x 28.

    Sixteen patches, a quarter of an image wide: with more of them, an epoch takes several times as long.
    """
    patch = shape[0] // 4
    inputs = keras.Input(shape, name="image")
    x = layers.Conv2D(width, patch, strides=patch, name="patches")(inputs)
    x = Positions()(layers.Reshape((-1, width))(x))
    for _ in range(blocks):
        y = layers.LayerNormalization()(x)
        x = layers.Add()([x, layers.MultiHeadAttention(heads, width // heads)(y, y)])
        y = layers.Dense(2 * width, activation="gelu")(layers.LayerNormalization()(x))
        x = layers.Add()([x, layers.Dense(width)(y)])
    x = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(x))
    return keras.Model(inputs, layers.Dense(10, name="logits")(x), name="vit")
