"""Small models of every kind of residual block, and the original with a block turned off by its weights."""

from collections.abc import Callable

import keras
import numpy as np
from keras import layers, ops

from keras_kd.legacy import application_class

IMAGE = (6, 6, 3)


def conv(x, filters, size, name, **kwargs):
    return layers.Conv2D(filters, size, padding="same", name=name, **kwargs)(x)


def norm(x, name):
    return layers.BatchNormalization(name=name)(x)


def on_images(block, filters=4, count=3) -> keras.Model:
    x = inputs = keras.Input(IMAGE)
    x = conv(x, filters, 1, "stem", activation="relu")
    for i in range(count):
        x = block(x, f"block{i}")
    return keras.Model(inputs, layers.Dense(3, name="head")(layers.GlobalAveragePooling2D(name="pool")(x)))


def v1_block(x, name):
    y = layers.ReLU(name=f"{name}_relu")(norm(conv(x, 4, 3, f"{name}_conv1"), f"{name}_bn1"))
    y = norm(conv(y, 4, 3, f"{name}_conv2"), f"{name}_last")
    return layers.ReLU(name=name)(layers.Add(name=f"{name}_add")([x, y]))


def v2_block(x, name):
    y = layers.ReLU(name=f"{name}_relu")(norm(x, f"{name}_bn"))
    return layers.Add(name=f"{name}_add")([conv(y, 4, 3, f"{name}_last"), x])


def inverted_block(x, name):
    y = layers.ReLU(6.0, name=f"{name}_relu")(norm(conv(x, 8, 1, f"{name}_expand"), f"{name}_bn"))
    y = layers.DepthwiseConv2D(3, padding="same", name=f"{name}_depthwise")(y)
    s = conv(layers.GlobalAveragePooling2D(keepdims=True)(y), 8, 1, f"{name}_excite", activation="sigmoid")
    y = norm(conv(layers.Multiply()([y, s]), 4, 1, f"{name}_project"), f"{name}_last")
    return layers.Add(name=f"{name}_add")([x, layers.Dropout(0.2, noise_shape=(None, 1, 1, 1))(y)])


def convnext_block(x, name):
    y = layers.LayerNormalization(name=f"{name}_ln")(
        layers.DepthwiseConv2D(7, padding="same", name=f"{name}_depthwise")(x)
    )
    y = layers.Dense(4, name=f"{name}_last")(layers.Dense(16, activation="gelu", name=f"{name}_mlp")(y))
    return x + y * np.full(4, 0.5, "float32")


def nested_block(x, name):
    entry = keras.Input((None, None, 4))
    return keras.Model(entry, v2_block(entry, "inner"), name=name)(x)


def encoder(pre: bool, attend: Callable, count=3) -> keras.Model:
    inputs = keras.Input((5,), dtype="int32")
    # Attention written as operations would end the mask.
    x = layers.Embedding(7, 4, mask_zero=attend is attention, name="embedding")(inputs)
    for i in range(count):
        for part, branch in (("attention", attend), ("mlp", feed_forward)):
            name = f"layer{i}_{part}"
            normal = layers.LayerNormalization(name=f"{name}_norm")
            y = branch(normal(x) if pre else x, name)
            x = layers.Add(name=f"{name}_add")([x, y])
            x = x if pre else normal(x)
    x = layers.LayerNormalization(name="norm")(x)
    return keras.Model(inputs, layers.Dense(2, name="head")(layers.GlobalAveragePooling1D(name="pool")(x)))


def attention(x, name):
    return layers.MultiHeadAttention(2, 2, name=f"{name}_last")(x, x)


def written_attention(x, name):
    q, k, v = (layers.Dense(4, name=f"{name}_{part}")(x) for part in "qkv")
    scores = ops.softmax(ops.matmul(q, ops.transpose(k, (0, 2, 1))) * 0.5)
    return layers.Dense(4, name=f"{name}_last")(ops.matmul(scores, v))


def feed_forward(x, name):
    return layers.Dense(4, name=f"{name}_last")(layers.Dense(8, activation="gelu", name=f"{name}_up")(x))


def decoder() -> keras.Model:
    inputs = [keras.Input((5, 4), name="target"), keras.Input((3, 4), name="source")]
    x, memory = inputs
    memory = layers.Dense(4, name="memory")(memory)
    for i in range(2):
        name = f"layer{i}"
        y = layers.MultiHeadAttention(2, 2, name=f"{name}_self_last")(x, x, use_causal_mask=True)
        x = layers.Add(name=f"{name}_self_add")([x, y])
        y = layers.MultiHeadAttention(2, 2, name=f"{name}_cross_last")(x, memory)
        x = layers.Add(name=f"{name}_cross_add")([x, y])
        x = layers.Add(name=f"{name}_mlp_add")([x, feed_forward(x, f"{name}_mlp")])
    return keras.Model(inputs, layers.Dense(2, name="head")(x))


def scaled() -> keras.Model:
    """As in InceptionResNetV2."""
    add = application_class(keras, "inception_resnet_v2", "CustomScaleLayer")

    def block(x, name):
        return layers.ReLU(name=name)(add(0.2, name=f"{name}_add")([x, conv(x, 4, 3, f"{name}_last")]))

    return on_images(block)


RESIDUALS: dict[str, Callable[[], keras.Model]] = {
    "v1": lambda: on_images(v1_block),
    "v2": lambda: on_images(v2_block),
    "inverted": lambda: on_images(inverted_block),
    "convnext": lambda: on_images(convnext_block),
    "nested": lambda: on_images(nested_block),
    "pre_norm": lambda: encoder(True, attention),
    "post_norm": lambda: encoder(False, attention),
    "written_attention": lambda: encoder(True, written_attention),
    "decoder": decoder,
    "scaled": scaled,
}
