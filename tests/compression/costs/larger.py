"""Models as of practice, small in sizes, whose activations are larger than the blocks of an arena."""

import keras
from keras import layers


def transformer() -> keras.Model:
    x = inputs = keras.Input((48, 32))
    for _ in range(2):
        y = layers.LayerNormalization()(x)
        x = layers.Add()([x, layers.MultiHeadAttention(4, 8)(y, y)])
        y = layers.Dense(128, activation="gelu")(layers.LayerNormalization()(x))
        x = layers.Add()([x, layers.Dense(32)(y)])
    return keras.Model(inputs, layers.Dense(10)(layers.GlobalAveragePooling1D()(x)))


def encoder() -> keras.Model:
    words = keras.Input((64,), dtype="int32")
    x = layers.Embedding(100, 32)(words)
    for filters in (32, 64):
        x = layers.Conv1D(filters, 5, padding="causal", activation="relu")(x)
        x = layers.SpatialDropout1D(0.1)(x)
    return keras.Model(words, layers.Dense(4, "softmax")(layers.GRU(16)(x)))


def segmenter() -> keras.Model:
    x = inputs = keras.Input((32, 32, 3))
    skips = []
    for filters in (8, 16):
        x = layers.Conv2D(filters, 3, padding="same", activation="silu")(x)
        x = layers.GroupNormalization(4)(x)
        skips.append(x)
        x = layers.MaxPool2D()(x)
    for filters, skip in ((16, skips[1]), (8, skips[0])):
        x = layers.Conv2DTranspose(filters, 3, strides=2, padding="same")(x)
        x = layers.SeparableConv2D(filters, 3, padding="same")(layers.Concatenate()([x, skip]))
        x = layers.ReLU()(layers.BatchNormalization()(x))
    return keras.Model(inputs, layers.Conv2D(2, 1, activation="softmax")(layers.UpSampling2D()(x)))


def perceptron() -> keras.Model:
    kinds = [
        layers.Rescaling(1 / 255),
        layers.Flatten(),
        layers.Dense(256, "relu"),
        layers.Dense(10, "softmax"),
    ]
    return keras.Sequential([keras.Input((28, 28)), *kinds])


LARGER = {make.__name__: make for make in (transformer, encoder, segmenter, perceptron)}
