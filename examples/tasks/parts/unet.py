"""A U-Net in small: down by strides, up again beside what was seen on the way."""

import keras


def block(x, width, stride=1, name=None):
    """Convolution, normalization, ReLU."""
    x = keras.layers.Conv2D(width, 3, strides=stride, padding="same", use_bias=False)(x)
    return keras.layers.ReLU(name=name)(keras.layers.BatchNormalization()(x))


def unet(inputs, widths, finest):
    """Features of pictures from 0 to 255: half the size at each width, then up again to that of `finest`.

    Args:
        inputs: `(batch, height, width, channels)`.
        widths: Channels of each size.
        finest: The number of the size at which to end: 0 is half the picture's.
    """
    x, skips = keras.layers.Rescaling(1 / 127.5, -1)(inputs), []
    for width in widths:
        x = block(x, width, stride=2)
        skips.append(x)
    for level in range(len(widths) - 2, finest - 1, -1):
        larger = keras.layers.UpSampling2D()(x)
        x = block(keras.layers.Concatenate()([larger, skips[level]]), widths[level])
    return x
