"""Small networks of every kind. Those that are only looked at are built once."""

import functools

import keras
from keras import layers


@functools.cache
def resnet(blocks, width=4, size=16, name="resnet", preactivated=False, stem_stride=1):
    """Three stages of as many blocks each, halved at the start of the second and third."""
    inputs = keras.Input((size, size, 3))
    x = layers.Conv2D(width, 3, strides=stem_stride, padding="same", name="stem")(inputs)
    if not preactivated:
        x = layers.ReLU(name="stem_relu")(layers.BatchNormalization()(x))
    for stage in range(3):
        for block in range(blocks):
            stride = 2 if stage and not block else 1
            x = residual(x, width * 2**stage, stride, f"s{stage + 1}b{block + 1}", preactivated)
    x = layers.ReLU(name="top_relu")(x) if preactivated else x
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(inputs, layers.Dense(10, name="logits")(x), name=name)


def residual(x, width, stride, name, preactivated):
    y = layers.ReLU(name=f"{name}_pre")(x) if preactivated else x
    y = layers.Conv2D(width, 3, strides=stride, padding="same", name=f"{name}_conv1")(y)
    y = layers.ReLU(name=f"{name}_relu1")(layers.BatchNormalization()(y))
    y = layers.Conv2D(width, 3, padding="same", name=f"{name}_conv2")(y)
    if stride != 1 or x.shape[-1] != width:
        x = layers.Conv2D(width, 1, strides=stride, name=f"{name}_shortcut")(x)
    x = layers.Add(name=f"{name}_add")([x, y])
    return x if preactivated else layers.ReLU(name=f"{name}_out")(x)


@functools.cache
def mlp(widths, name="mlp", norm=False):
    model = keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten()], name=name)
    for number, width in enumerate(widths, 1):
        model.add(layers.Dense(width, None if norm else "relu", name=f"dense{number}"))
        if norm:
            model.add(layers.BatchNormalization())
            model.add(layers.ReLU(name=f"relu{number}"))
        model.add(layers.Dropout(0.1))
    model.add(layers.Dense(10, name="logits"))
    model.add(layers.Softmax())
    return model


@functools.cache
def transformer(depth, width=8, tokens=6, name="transformer", postnorm=False):
    inputs = keras.Input((tokens,), dtype="int32")
    x = layers.Embedding(20, width, name="embedding")(inputs)
    for number in range(1, depth + 1):
        y = x if postnorm else layers.LayerNormalization()(x)
        y = layers.MultiHeadAttention(2, 4, name=f"attention{number}")(y, y)
        x = layers.Add(name=f"attended{number}")([x, y])
        x = layers.LayerNormalization(name=f"norm{number}")(x) if postnorm else x
        y = x if postnorm else layers.LayerNormalization()(x)
        y = layers.Dense(width, name=f"down{number}")(layers.Dense(16, "gelu", name=f"up{number}")(y))
        x = layers.Add(name=f"block{number}")([x, y])
        x = layers.LayerNormalization(name=f"out{number}")(x) if postnorm else x
    return keras.Model(inputs, layers.Dense(3, name="logits")(x[:, 0]), name=name)


@keras.saving.register_keras_serializable("tests")
class Block(layers.Layer):
    """A residual block as users write them: the addition is no layer."""

    def __init__(self, width, stride=1, **kwargs):
        super().__init__(**kwargs)
        self.conv = layers.Conv2D(width, 3, strides=stride, padding="same")
        self.relu = layers.ReLU()
        self.conv2 = layers.Conv2D(width, 3, padding="same")
        self.shortcut = keras.Sequential(
            [layers.Conv2D(width, 1, strides=stride), layers.BatchNormalization()]
        )

    def call(self, x):
        return keras.ops.relu(self.conv2(self.relu(self.conv(x))) + self.shortcut(x))


class Stage(layers.Layer):
    def __init__(self, width, stride, blocks, **kwargs):
        super().__init__(**kwargs)
        self.blocks = [Block(width, 1 if i else stride) for i in range(blocks)]

    def call(self, x):
        for block in self.blocks:
            x = block(x)
        return x


class Net(keras.Model):
    """A subclassed model."""

    def __init__(self, blocks, **kwargs):
        super().__init__(**kwargs)
        self.stem = layers.Conv2D(4, 3, padding="same")
        self.stage1 = Stage(4, 1, blocks)
        self.stage2 = Stage(8, 2, blocks)
        self.pool = layers.GlobalAveragePooling2D()
        self.head = layers.Dense(10)

    def call(self, x):
        return self.head(self.pool(self.stage2(self.stage1(self.stem(x)))))
