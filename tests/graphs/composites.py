"""Layers that users and libraries make of layers: those that can be opened, and those that cannot."""

import keras
from keras import layers, ops


class Composite(layers.Layer):
    """What most of them have in common: they are built when they are first called."""

    def compute_output_shape(self, shape, *others, **kwargs):
        return shape


class Encoder(Composite):
    """A transformer block like those of KerasHub."""

    def __init__(self, width=8, dropout=0.0, **kwargs):
        super().__init__(**kwargs)
        self.width, self.dropout = width, dropout
        self.attention = layers.MultiHeadAttention(2, 4, dropout=dropout)
        self.attention_norm, self.norm = layers.LayerNormalization(), layers.LayerNormalization()
        self.wide, self.narrow = layers.Dense(2 * width, activation="gelu"), layers.Dense(width)
        self.drop = layers.Dropout(dropout, seed=5)

    def build(self, shape):
        self.attention.build(shape, shape)
        for layer in (self.attention_norm, self.norm, self.wide):
            layer.build(shape)
        self.narrow.build((*shape[:-1], 2 * self.width))

    def call(self, x, padding_mask=None, training=None):
        mask = None if padding_mask is None else ops.expand_dims(padding_mask, 1)
        y = self.attention(x, x, attention_mask=mask, training=training)
        x = self.attention_norm(x + y)
        return self.norm(x + self.drop(self.narrow(self.wide(x)), training=training))

    def get_config(self):
        return {**super().get_config(), "width": self.width, "dropout": self.dropout}


class Inverted(Composite):
    """An inverted residual block: with a squeeze, a list of layers, and a shortcut where it fits."""

    def __init__(self, filters=6, squeeze=True, **kwargs):
        super().__init__(**kwargs)
        self.filters, self.squeeze = filters, squeeze
        self.steps = [
            layers.Conv2D(12, 1),
            layers.BatchNormalization(),
            layers.DepthwiseConv2D(3, padding="same"),
        ]
        self.excite = layers.Dense(12, activation="sigmoid") if squeeze else None
        self.project = layers.Conv2D(filters, 1)

    def call(self, x, training=None):
        y = x
        for step in self.steps:
            y = step(y)
        if self.excite is not None:
            y = y * self.excite(ops.mean(y, axis=(1, 2), keepdims=True))
        y = self.project(y)
        return x + y if x.shape[-1] == self.filters else y

    def compute_output_shape(self, shape, *others, **kwargs):
        return (*shape[:-1], self.filters)

    def get_config(self):
        return {**super().get_config(), "filters": self.filters, "squeeze": self.squeeze}


class Plain(Composite):
    """Has no `get_config`, and is made inside of another layer, which knows how."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.hidden, self.out = layers.Dense(6, activation="relu"), layers.Dense(units)

    def call(self, x):
        return self.out(self.hidden(x))


class Outer(Composite):
    """Holds a layer of layers and returns several tensors."""

    def __init__(self, units=4, **kwargs):
        super().__init__(**kwargs)
        self.units, self.inner, self.scale = units, Plain(units), layers.Dense(units)

    def call(self, x):
        return {"b": self.inner(x), "a": self.scale(x)}

    def compute_output_shape(self, shape, *others, **kwargs):
        return {"b": (*shape[:-1], self.units), "a": (*shape[:-1], self.units)}

    def get_config(self):
        return {**super().get_config(), "units": self.units}


class Deciding(Composite):
    """Computes something else in training."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = layers.Dense(4)

    def call(self, x, training=None):
        return self.dense(x) * 2.0 if training else self.dense(x)


class Weighing(Composite):
    """Has a weight of its own beside its layer."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense, self.scale = layers.Dense(4), self.add_weight(shape=(4,), initializer="ones")

    def call(self, x):
        return self.dense(x) * self.scale


class Reading(Composite):
    """Uses the weight of a layer without calling it."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = layers.Dense(4)

    def build(self, shape):
        self.dense.build(shape)

    def call(self, x):
        return ops.matmul(x, self.dense.kernel)


class Converting(Composite):
    """Needs values where it is traced."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = layers.Dense(4)

    def build(self, shape):
        self.dense.build(shape)

    def call(self, x):
        return self.dense(x) if float(ops.convert_to_numpy(x).sum()) > 0 else self.dense(-x)


class Masking(Composite):
    """Takes the padding mask that Keras passes."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense, self.supports_masking = layers.Dense(4), True

    def call(self, x, mask=None):
        return self.dense(x) if mask is None else self.dense(x) * ops.cast(mask, x.dtype)[..., None]


class Crossing(Composite):
    """Attention to another sequence, which may also be the same one."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.attention, self.out = layers.MultiHeadAttention(2, 4), layers.Dense(8)

    def call(self, x, context, scale=None):
        x = self.out(self.attention(x, context)) + x
        return x if scale is None else x * scale


def encoder(dropout: float = 0.0) -> keras.Model:
    words, mask = keras.Input((5, 8), name="words"), keras.Input((5,), dtype="bool", name="mask")
    x = Encoder(dropout=dropout, name="block1")(words, padding_mask=mask)
    return keras.Model([words, mask], Encoder(dropout=dropout, name="block2")(x))


def inverted() -> keras.Model:
    inputs = keras.Input((4, 4, 3))
    x = Inverted(name="first")(inputs)
    x = Inverted(squeeze=False, name="second")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(inputs, layers.Dense(2, name="head")(x))


def nested_blocks() -> keras.Model:
    inputs, entry = keras.Input((4,)), keras.Input((4,))
    backbone = keras.Model(entry, Outer(name="outer")(entry), name="backbone")
    found = backbone(inputs)
    return keras.Model(inputs, layers.Dense(2, name="head")(found["a"] + found["b"]))


def in_sequence() -> keras.Model:
    kinds = [Inverted(name="first"), layers.GlobalAveragePooling2D(name="pool"), layers.Dense(2, name="head")]
    return keras.Sequential([keras.Input((4, 4, 3)), *kinds])


def the_same_twice() -> keras.Model:
    words, others = keras.Input((5, 8), name="words"), keras.Input((5, 8), name="others")
    x = Crossing(name="first")(words, words)
    x = Crossing(name="second")(x, others, scale=x)
    return keras.Model([words, others], layers.Dense(2, name="head")(x))


OPENED = {make.__name__: make for make in (encoder, inverted, nested_blocks, in_sequence, the_same_twice)}
