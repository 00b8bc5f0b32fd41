"""Random graphs: small programs, each line of which reads tensors that lines before it have made."""

import keras
from hypothesis import strategies as st
from keras import layers, ops


def conv(x, y, n):
    return layers.Conv2D(n, 3, padding="same", activation="relu")(x)


def grouped(x, y, n):
    return layers.Conv2D(2 * n, 1, groups=2 if x.shape[-1] % 2 == 0 else 1)(x)


def depthwise(x, y, n):
    return layers.DepthwiseConv2D(3, padding="same", depth_multiplier=1 + n % 2)(x)


def batch_norm(x, y, n):
    return layers.BatchNormalization()(x)


def layer_norm(x, y, n):
    return layers.LayerNormalization()(x)


def group_norm(x, y, n):
    return layers.GroupNormalization(2 if x.shape[-1] % 2 == 0 else 1)(x)


def added(x, y, n):
    return x + (y if y.shape[-1] == x.shape[-1] else layers.Conv2D(x.shape[-1], 1)(y))


def multiplied(x, y, n):
    return layers.Multiply()([x, y if y.shape[-1] == x.shape[-1] else layers.Dense(x.shape[-1])(y)])


def joined(x, y, n):
    return layers.Concatenate()([x, y])


def squeezed(x, y, n):
    s = layers.Dense(n, activation="relu")(layers.GlobalAveragePooling2D(keepdims=True)(x))
    return x * layers.Dense(x.shape[-1], activation="sigmoid")(s)


def split(x, y, n):
    at = max(1, n % x.shape[-1])
    first, second = ops.split(x, [at], axis=-1) if at < x.shape[-1] else (x, y)
    return ops.concatenate([second, first], axis=-1)


def cut(x, y, n):
    return x[..., : max(1, min(n, x.shape[-1] - 1))]


def shuffled(x, y, n):
    channels, groups = x.shape[-1], 2 if x.shape[-1] % 2 == 0 else 1
    x = ops.reshape(x, (-1, 4, 4, groups, channels // groups))
    return ops.reshape(ops.transpose(x, (0, 1, 2, 4, 3)), (-1, 4, 4, channels))


STEPS = [
    *(conv, grouped, depthwise, batch_norm, layer_norm, group_norm, added, multiplied, joined, squeezed),
    *(split, cut, shuffled),
]

Program = list[tuple[int, int, int, int]]


def programs() -> st.SearchStrategy[Program]:
    """Lines `(step, first operand, second operand, size)`; operands count back from the last tensor."""
    line = st.tuples(st.integers(0, len(STEPS) - 1), st.integers(0, 3), st.integers(0, 3), st.integers(2, 6))
    return st.lists(line, min_size=2, max_size=9)


def built(program: Program) -> keras.Model:
    inputs = keras.Input((4, 4, 3))
    made = [layers.Conv2D(6, 3, padding="same", name="stem")(inputs)]
    for step, first, second, size in program:
        x, y = (made[-1 - back % len(made)] for back in (first, second))
        made.append(STEPS[step](x, y, size))
    x = layers.GlobalAveragePooling2D()(made[-1])
    return keras.Model(inputs, layers.Dense(3, name="head")(x))
