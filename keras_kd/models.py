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
from typing import Any

import keras
from keras import layers

from keras_kd.tensors import Tensor

__all__ = [
    "digits_student",
    "digits_teacher",
    "fashion_student",
    "fashion_teacher",
    "mean_of_heads",
    "vision_transformer",
]


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


def vision_transformer(
    shape: tuple[int, int, int],
    classes: int,
    *,
    patch: int = 4,
    width: int = 64,
    depth: int = 4,
    heads: int = 4,
    distillation_token: bool = True,
    name: str = "vision_transformer",
) -> keras.Model:
    """A small vision transformer, with a class token and, for distillation, a second one.

    The second token has a head of its own, which learns what a teacher says, hard or soft, while the first
    learns the labels: objectives read `"output/distillation"`. At inference, `mean_of_heads`.
    Taps: `"patches"`, `"tokens"`, `"block1"` and so on, and `"norm"`.

    Source: Dosovitskiy et al. 2021, arXiv 2010.11929. The distillation token, Touvron et al. 2021, "Training
    data-efficient image transformers & distillation through attention", arXiv 2012.12877.

    Args:
        shape: Height, width and channels of an image.
        classes: The number of classes.
        patch: The side of a patch, which divides height and width.
        width: The width of a token.
        depth: The number of blocks.
        heads: The number of attention heads, which divides the width.
        distillation_token: Whether there is a second token.
        name: Name of the model.

    Returns:
        An untrained model from `(batch, *shape)` to `{"class": logits, "distillation": logits}`, each
        `(batch, classes)`; without the second token, to the logits of the class token.

    Raises:
        ValueError: Sizes that do not divide each other.

    Examples:
        >>> model = vision_transformer((8, 8, 1), 10, patch=2, width=16, depth=2, heads=2)
        >>> {name: logits.shape for name, logits in model.output.items()}
        {'class': (None, 10), 'distillation': (None, 10)}
    """
    if shape[0] % patch or shape[1] % patch or width % heads:
        raise ValueError(
            "`patch` divides the height and width of images, and `heads` the width of tokens. Received: "
            f"shape={shape}, patch={patch}, width={width}, heads={heads}."
        )
    inputs = keras.Input(shape, name="image")
    x = layers.Conv2D(width, patch, strides=patch, name="patches")(inputs)
    x = layers.Reshape((-1, width), name="sequence")(x)
    outputs = ("class", "distillation") if distillation_token else ("class",)
    x = Tokens(len(outputs), name="tokens")(x)
    for number in range(1, depth + 1):
        x = _transformer_block(x, width, heads, number)
    x = layers.LayerNormalization(epsilon=1e-6, name="norm")(x)
    logits = {key: layers.Dense(classes, name=key)(x[:, token]) for token, key in enumerate(outputs)}
    return keras.Model(inputs, logits if distillation_token else logits["class"], name=name)


def mean_of_heads(model: keras.Model, heads: tuple[str, ...] = ("class", "distillation")) -> keras.Model:
    """A model with one output: the mean of the logits of several heads, as DeiT answers at inference.

    It shares the weights of `model`, and is saved and exported like any other.

    Source: Touvron et al. 2021, arXiv 2012.12877; the mean of logits as in its code.

    Args:
        model: A functional model with named outputs, such as a `vision_transformer`.
        heads: The names of the outputs.

    Raises:
        ValueError: A model without these outputs.

    Examples:
        >>> model = vision_transformer((8, 8, 1), 10, patch=4, width=8, depth=1, heads=1)
        >>> mean_of_heads(model).output.shape
        (None, 10)
    """
    outputs = getattr(model, "output", None)
    named = outputs if isinstance(outputs, dict) else {}
    missing = [head for head in heads if head not in named]
    if missing:
        raise ValueError(
            f"{model.name!r} has no output {missing[0]!r}; its outputs are {list(named) or 'one tensor'}. A "
            "vision_transformer has two heads with distillation_token=True."
        )
    mean = layers.Average(name="mean")([named[head] for head in heads])
    return keras.Model(model.input, mean, name=f"{model.name}_mean")


@keras.saving.register_keras_serializable("keras_kd")
class Tokens(layers.Layer):
    """Learned tokens in front of a sequence `(batch, n, width)`, and a learned position for each place."""

    def __init__(self, count: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.count = count

    def build(self, input_shape: tuple[int, ...]) -> None:
        _, length, width = input_shape
        normal = keras.initializers.TruncatedNormal(stddev=0.02)
        self.tokens = self.add_weight(shape=(1, self.count, width), initializer=normal, name="tokens")
        shape = (1, self.count + length, width)
        self.positions = self.add_weight(shape=shape, initializer=normal, name="positions")

    def call(self, x: Tensor) -> Tensor:
        tokens = keras.ops.zeros_like(x[:, :1]) + self.tokens  # for each sample, however many there are
        return keras.ops.concatenate([tokens, x], axis=1) + self.positions

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "count": self.count}


def _transformer_block(x: Tensor, width: int, heads: int, number: int) -> Tensor:
    """Attention and two dense layers, each behind a LayerNorm and beside a shortcut."""
    y = layers.LayerNormalization(epsilon=1e-6, name=f"norm{number}_first")(x)
    attention = layers.MultiHeadAttention(heads, width // heads, name=f"attention{number}")
    x = layers.Add(name=f"sum{number}")([x, attention(y, y)])
    y = layers.LayerNormalization(epsilon=1e-6, name=f"norm{number}_second")(x)
    y = layers.Dense(2 * width, "gelu", name=f"dense{number}_first")(y)
    y = layers.Dense(width, name=f"dense{number}_second")(y)
    return layers.Add(name=f"block{number}")([x, y])


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
