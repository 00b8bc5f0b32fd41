"""The networks that are made smaller, and students written by hand."""

import keras
from keras import layers

import keras_kd as kd


def widened(name, shape, widths, strides):
    """The student of `kd.models`, and the same with twice as many filters."""
    return {
        "by hand": lambda: kd.models.plain(name, shape, widths, strides),
        "by hand, twice as wide": lambda: kd.models.plain(name, shape, [2 * w for w in widths], strides),
    }


DIGITS_STUDENTS = widened("digits_student", (8, 8, 1), (8, 16, 24), (1, 2, 2))
FASHION_STUDENTS = widened("fashion_student", (28, 28, 1), (12, 24, 32), (2, 2, 2))


def resnet20(shape):
    """He et al. 2015, arXiv 1512.03385, section 4.2, but that the first convolution halves large images."""
    x = inputs = keras.Input(shape, name="image")
    x = layers.ReLU()(kd.models.convolution(x, 16, "_stem", stride=2 if shape[0] > 16 else 1))
    for stage, width in enumerate((16, 32, 64), 1):
        for block in range(1, 4):
            stride = 2 if stage > 1 and block == 1 else 1
            y = layers.ReLU()(kd.models.convolution(x, width, f"{stage}{block}a", stride=stride))
            y = kd.models.convolution(y, width, f"{stage}{block}b")
            if stride == 2:
                x = kd.models.convolution(x, width, f"{stage}_shortcut", kernel=1, stride=2)
            x = layers.ReLU(name=f"block{stage}{block}")(layers.Add()([x, y]))
    return kd.models.classifier("resnet20", inputs, x)
