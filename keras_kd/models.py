"""A teacher and a student for each dataset of `kd.datasets`: small, but real.

Teachers are residual networks, students are plain ones. All have BatchNorm, return logits, and name what can
be tapped: `"stage1"`, `"stage2"`, `"stage3"`, `"pool"` and `"logits"`; `"norm1"` to `"norm3"` are the last
BatchNorm of each stage, before its ReLU. The stages of a teacher and its student have the same height and
width, so that features can be compared without resizing.

Examples:
    >>> from keras_kd import models
    >>> models.digits_teacher().get_layer("stage2").output.shape
    (None, 4, 4, 48)
    >>> models.digits_student().get_layer("stage2").output.shape
    (None, 4, 4, 16)
"""

from collections.abc import Sequence

import keras
from keras import layers

from keras_kd.tensors import Tensor

__all__ = ["digits_student", "digits_teacher", "fashion_student", "fashion_teacher"]


def digits_teacher() -> keras.Model:
    """A residual network with 174,850 parameters for `kd.datasets.digits`.

    Returns:
        An untrained model from `(batch, 8, 8, 1)` to logits `(batch, 10)`.

    Examples:
        >>> digits_teacher().count_params()
        174850
    """
    return residual("digits_teacher", (8, 8, 1), widths=(24, 48, 96), stem_stride=1)


def digits_student() -> keras.Model:
    """A plain network with 5,122 parameters for `kd.datasets.digits`.

    Returns:
        An untrained model from `(batch, 8, 8, 1)` to logits `(batch, 10)`.

    Examples:
        >>> digits_student().count_params()
        5122
    """
    return plain("digits_student", (8, 8, 1), widths=(8, 16, 24), strides=(1, 2, 2))


def fashion_teacher() -> keras.Model:
    """A residual network with 124,778 parameters for `kd.datasets.fashion_mnist`.

    Returns:
        An untrained model from `(batch, 28, 28, 1)` to logits `(batch, 10)`.

    Examples:
        >>> fashion_teacher().count_params()
        124778
    """
    return residual("fashion_teacher", (28, 28, 1), widths=(32, 48, 64), stem_stride=2)


def fashion_student() -> keras.Model:
    """A plain network with 10,214 parameters for `kd.datasets.fashion_mnist`.

    Returns:
        An untrained model from `(batch, 28, 28, 1)` to logits `(batch, 10)`.

    Examples:
        >>> fashion_student().count_params()
        10214
    """
    return plain("fashion_student", (28, 28, 1), widths=(12, 24, 32), strides=(2, 2, 2))


# Every layer has a name. Those that Keras counts up depend on what the process has made before, and files
# that a resumed run exports would differ from those of an uninterrupted one.
def residual(name: str, shape: tuple[int, ...], widths: Sequence[int], stem_stride: int) -> keras.Model:
    """One residual block per stage; every stage but the first halves height and width."""
    inputs = keras.Input(shape, name="image")
    x = convolution(inputs, widths[0], "_stem", stride=stem_stride)
    x = layers.ReLU(name="stem")(x)
    for stage, width in enumerate(widths, 1):
        stride = 1 if stage == 1 else 2
        y = convolution(x, width, f"{stage}_first", stride=stride)
        y = convolution(layers.ReLU(name=f"relu{stage}_first")(y), width, f"{stage}")
        shortcut = x
        if stage > 1:
            shortcut = convolution(x, width, f"{stage}_shortcut", kernel=1, stride=stride)
        x = layers.ReLU(name=f"stage{stage}")(layers.Add(name=f"sum{stage}")([shortcut, y]))
    return classifier(name, inputs, x)


def plain(name: str, shape: tuple[int, ...], widths: Sequence[int], strides: Sequence[int]) -> keras.Model:
    """One convolution per stage."""
    x = inputs = keras.Input(shape, name="image")
    for stage, (width, stride) in enumerate(zip(widths, strides, strict=True), 1):
        x = convolution(x, width, f"{stage}", stride=stride)
        x = layers.ReLU(name=f"stage{stage}")(x)
    return classifier(name, inputs, x)


def convolution(x: Tensor, width: int, place: str, *, kernel: int = 3, stride: int = 1) -> Tensor:
    """A convolution and its BatchNorm, named after their place."""
    convolve = layers.Conv2D(
        width, kernel, strides=stride, padding="same", use_bias=False, name=f"conv{place}"
    )
    # A run on digits has a few hundred steps: with Keras's momentum of 0.99 the moving statistics lag so far
    # behind that test accuracy falls from 98 % to 93 %.
    return layers.BatchNormalization(momentum=0.9, name=f"norm{place}")(convolve(x))


def classifier(name: str, inputs: Tensor, x: Tensor) -> keras.Model:
    """The mean over the image, then logits."""
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(inputs, layers.Dense(10, name="logits")(x), name=name)
