"""Models for `kd.shrink`: one for each way in which channels can be tied together."""

from collections.abc import Callable

import keras
import numpy as np
from keras import layers, ops

from tests.graphs.topologies import Block

IMAGE, WORDS = (8, 8, 3), (6,)


def conv(filters: int, name: str, size: int = 3, **kwargs) -> layers.Conv2D:
    return layers.Conv2D(filters, size, padding="same", name=name, **kwargs)


def headed(inputs, x, name: str = "head") -> keras.Model:
    x = layers.GlobalAveragePooling2D(name="pool")(x) if len(x.shape) == 4 else x
    return keras.Model(inputs, layers.Dense(3, name=name)(x))


def image_model(body: Callable) -> Callable[[], keras.Model]:
    def make() -> keras.Model:
        inputs = keras.Input(IMAGE)
        return headed(inputs, body(conv(8, "stem", activation="relu")(inputs)))

    make.__name__ = body.__name__
    return make


def depthwise_multiplied(x):
    return layers.BatchNormalization(name="norm")(
        layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same", name="depthwise")(x)
    )


def depthwise_as_groups(x):
    return conv(6, "after")(conv(16, "grouped", groups=8)(x))


def grouped(x):
    x = conv(12, "grouped", groups=2)(x)
    return conv(6, "after", size=1)(layers.LeakyReLU(name="leaky")(x))


def separable(x):
    return layers.SeparableConv2D(10, 3, depth_multiplier=2, padding="same", name="separable")(x)


def bottleneck(x):
    for i in (1, 2):
        y = layers.BatchNormalization(name=f"norm{i}")(conv(6, f"narrow{i}", size=1)(x))
        y = conv(8, f"wide{i}")(layers.ReLU(name=f"relu{i}")(y))
        x = layers.Add(name=f"sum{i}")([x, y])
    return x


def dense_block(x):
    for i in range(3):
        y = conv(4, f"grown{i}")(layers.BatchNormalization(name=f"norm{i}")(x))
        x = layers.Concatenate(name=f"joined{i}")([x, y])
    return x


def squeeze_excite(x):
    s = layers.GlobalAveragePooling2D(name="squeeze")(x)
    s = layers.Dense(4, activation="relu", name="reduce")(s)
    s = layers.Dense(8, activation="sigmoid", name="expand")(s)
    return layers.Multiply(name="scaled")([x, layers.Reshape((1, 1, 8), name="shape")(s)])


def spatial_gate(x):
    averages, largest = ops.mean(x, axis=-1, keepdims=True), ops.max(x, axis=-1, keepdims=True)
    gate = conv(1, "gate", activation="sigmoid")(ops.concatenate([averages, largest], axis=-1))
    return conv(6, "after")(x) * gate


def u_net(x):
    down = conv(12, "down", strides=2, activation="relu")(x)
    up = layers.Conv2DTranspose(6, 2, strides=2, name="up")(down)
    bigger = layers.UpSampling2D(name="bigger")(conv(4, "deep", strides=2)(x))
    padded = layers.Cropping2D(1, name="cropped")(layers.ZeroPadding2D(1, name="padded")(bigger))
    return conv(5, "joined")(layers.Concatenate(name="skip")([x, up, padded]))


def group_normalized(x):
    x = layers.GroupNormalization(4, name="norm")(conv(12, "conv")(x))
    return layers.GroupNormalization(-1, name="instances")(conv(8, "after")(x))


def layer_normalized(x):
    x = layers.LayerNormalization(name="norm")(conv(10, "conv")(x))
    return layers.RMSNormalization(name="root")(conv(6, "after")(x))


def sloped(x):
    x = layers.PReLU(name="slope")(conv(6, "conv")(x))
    return layers.PReLU(shared_axes=[1, 2], name="shared")(conv(5, "after")(x))


def flattened(x):
    x = layers.Flatten(name="flat")(layers.AveragePooling2D(4, name="small")(x))
    return layers.Dense(7, activation="gelu", name="hidden")(x)


def permuted(x):
    return layers.Dense(5, name="rows")(layers.Permute((3, 1, 2), name="turned")(x)[:, :, :, 0])


def decoded(x):
    x = layers.Dense(2 * 2 * 6, name="code")(layers.GlobalMaxPooling2D(name="most")(x))
    x = layers.Reshape((2, 2, -1), name="grid")(x)
    return conv(5, "after")(x)


def shuffled(x):
    x = ops.reshape(conv(12, "grouped", groups=2)(x), (-1, 8, 8, 2, 6))
    x = ops.reshape(ops.transpose(x, (0, 1, 2, 4, 3)), (-1, 8, 8, 12))
    return conv(5, "after", size=1)(x)


def gated_linear(x):
    first, second = ops.split(conv(12, "double")(x), 2, axis=-1)
    return conv(5, "after")(first * ops.sigmoid(second))


def sliced(x):
    y = conv(12, "wide")(x)
    return conv(5, "left")(y[..., :5]) + conv(5, "right")(y[..., 4:])


def stacked(x):
    y = ops.stack([x, conv(8, "other")(x)], axis=-2)
    return conv(5, "after")(ops.max(y, axis=-2))


def scaled_by_arrays(x):
    y = ops.relu(x * np.linspace(0.5, 1.5, 8, dtype="float32") + 0.25)
    return conv(5, "after")(ops.where(y > 0.5, y, -y))


def resized(x):
    small = layers.Resizing(4, 4, name="small")(layers.Rescaling(0.5, name="scaled")(conv(6, "conv")(x)))
    y = layers.RandomFlip(name="flipped")(layers.CenterCrop(2, 2, name="center")(small))
    return conv(5, "after")(ops.pad(ops.image.resize(y, (4, 4)), ((0, 0), (1, 0), (0, 0), (0, 0))))


def pixels_shuffled(x):
    return conv(5, "after")(ops.nn.depth_to_space(conv(12, "wide")(x), 2))


def in_half_precision(x):
    y = layers.Conv2D(8, 3, padding="same", dtype="mixed_float16", name="half")(x)
    return layers.Add(name="sum", dtype="float32")([x, y])


def opaque(x):
    y = conv(6, "conv")(x)
    return layers.Lambda(lambda t: t * 2.0, output_shape=(8, 8, 6), name="unknown")(y)


def of_users_layer(x):
    y = layers.Dense(6, name="hidden")(layers.GlobalAveragePooling2D(name="mean")(x))
    return Block(6, name="block")(y)


def custom_activation(x):
    def centered(t):
        return t - ops.mean(t, axis=-1, keepdims=True)

    return conv(5, "after")(conv(6, "conv", activation=centered)(x))


def softmaxed(x):
    return conv(5, "after")(layers.Softmax(name="softmax")(conv(6, "attended")(x)) * x[..., :6])


def two_inputs_and_outputs() -> keras.Model:
    left, right = keras.Input((6,), name="left"), keras.Input((5,), name="right")
    tower = layers.Dense(8, activation="relu", name="a")(left), layers.Dense(8, name="b")(right)
    joined = layers.Average(name="mean")(tower)
    hidden = layers.Dense(10, name="hidden")(layers.Maximum(name="most")([joined, tower[0]]))
    outputs = {"x": layers.Dense(2, name="x")(hidden), "y": layers.Dense(3, name="y")(joined)}
    return keras.Model({"left": left, "right": right}, outputs)


def siamese() -> keras.Model:
    inputs = [keras.Input(IMAGE, name="left"), keras.Input(IMAGE, name="right")]
    entry = keras.Input(IMAGE)
    x = conv(8, "conv", activation="relu")(entry)
    x = ops.reshape(x, (-1, 64, 8))[:, :, :]
    tower = keras.Model(entry, layers.Dense(6, name="code")(ops.mean(x, axis=1)), name="tower")
    return keras.Model(
        inputs, layers.Dense(2, name="head")(layers.Subtract(name="d")([tower(i) for i in inputs]))
    )


def shared_layer() -> keras.Model:
    inputs = keras.Input((4,))
    shared, norm = layers.Dense(4, activation="tanh", name="shared"), layers.BatchNormalization(name="norm")
    x = layers.Dense(4, name="first")(inputs)
    for _ in range(3):
        x = norm(shared(x))
    return headed(inputs, x)


def one_dimension() -> keras.Model:
    inputs = keras.Input((12, 3))
    x = layers.Conv1D(8, 3, padding="causal", dilation_rate=2, name="conv")(inputs)
    x = layers.SeparableConv1D(6, 3, name="separable")(layers.MaxPooling1D(2, name="most")(x))
    x = layers.Conv1DTranspose(5, 2, name="up")(layers.DepthwiseConv1D(2, name="depthwise")(x))
    return headed(inputs, layers.GlobalMaxPooling1D(name="pool")(layers.ZeroPadding1D(1, name="pad")(x)))


def three_dimensions() -> keras.Model:
    inputs = keras.Input((4, 4, 4, 2))
    x = layers.Conv3D(6, 2, activation="relu", name="conv")(inputs)
    x = layers.Conv3DTranspose(4, 2, name="up")(layers.BatchNormalization(name="norm")(x))
    return headed(inputs, layers.GlobalAveragePooling3D(name="pool")(x))


def einsums() -> keras.Model:
    inputs = keras.Input((5, 4))
    x = layers.EinsumDense("abc,cde->abde", output_shape=(None, 4, 6), bias_axes="de", name="split")(inputs)
    x = layers.EinsumDense("abde,def->abf", output_shape=(None, 8), bias_axes="f", name="join")(x)
    x = layers.EinsumDense("...c,cd->...d", output_shape=6, name="last", activation="relu")(x)
    return headed(inputs, layers.GlobalAveragePooling1D(name="pool")(x))


def transformer() -> keras.Model:
    inputs = keras.Input(WORDS, dtype="int32")
    x = layers.Embedding(7, 8, mask_zero=True, name="words")(inputs)
    x = x + layers.Embedding(6, 8, name="places")(np.arange(6)[None])
    for i in (1, 2):
        y = layers.MultiHeadAttention(4, 6, value_dim=5, name=f"attention{i}")(x, x)
        x = layers.LayerNormalization(name=f"norm{i}")(layers.Add(name=f"sum{i}")([x, y]))
        y = layers.Dense(16, activation="gelu", name=f"wide{i}")(x)
        x = layers.Add(name=f"out{i}")([x, layers.Dense(8, name=f"narrow{i}")(y)])
    return headed(inputs, layers.GlobalAveragePooling1D(name="pool")(x))


def cross_attention() -> keras.Model:
    words, picture = keras.Input((6, 5)), keras.Input((4, 7))
    query, value = layers.Dense(8, name="q")(words), layers.Dense(6, name="v")(picture)
    attended, scores = layers.MultiHeadAttention(2, 4, name="attention")(
        query, value, return_attention_scores=True
    )
    x = layers.Dense(4, name="after")(attended)
    strongest = layers.Dense(4, name="of_scores")(ops.max(ops.mean(scores, axis=1), axis=-1))
    return headed([words, picture], layers.GlobalAveragePooling1D(name="pool")(x) + strongest)


def attention_of_operations() -> keras.Model:
    inputs = keras.Input((5, 6))
    query, key, value = (layers.Dense(8, name=n)(inputs) for n in ("query", "key", "value"))
    heads = [ops.transpose(ops.reshape(t, (-1, 5, 2, 4)), (0, 2, 1, 3)) for t in (query, key, value)]
    scores = ops.softmax(ops.matmul(heads[0], ops.transpose(heads[1], (0, 1, 3, 2))) * 0.5)
    x = ops.reshape(ops.transpose(ops.matmul(scores, heads[2]), (0, 2, 1, 3)), (-1, 5, 8))
    x = layers.Attention(name="weightless")(
        [
            layers.Dense(6, name="of_query")(x),
            layers.Dense(5, name="of_value")(x),
            layers.Dense(6, name="of_key")(x),
        ]
    )
    return headed(inputs, layers.GlobalAveragePooling1D(name="pool")(x[..., :4]))


def recurrent() -> keras.Model:
    inputs = keras.Input(WORDS, dtype="int32")
    x = layers.Embedding(7, 6, mask_zero=True, name="words")(inputs)
    x = layers.LSTM(8, return_sequences=True, name="lstm")(x)
    x = layers.GRU(6, return_sequences=True, reset_after=True, name="gru")(x)
    x = layers.GRU(6, return_sequences=True, reset_after=False, name="old_gru")(x)
    return headed(inputs, layers.SimpleRNN(5, activation="relu", name="simple")(x))


def bidirectional() -> keras.Model:
    inputs = keras.Input((5, 3))
    x = layers.Bidirectional(layers.LSTM(6, return_sequences=True), name="joined")(inputs)
    x = layers.Bidirectional(layers.GRU(6, return_sequences=True), merge_mode="sum", name="added")(x)
    return headed(inputs, layers.Bidirectional(layers.RNN(layers.LSTMCell(4)), name="cells")(x))


def states() -> keras.Model:
    inputs = keras.Input((5, 3))
    x, hidden, cell = layers.LSTM(8, return_sequences=True, return_state=True, name="encoder")(inputs)
    x = layers.LSTM(8, name="decoder")(layers.Dense(6, name="between")(x), initial_state=[hidden, cell])
    return headed(inputs, x)


def film() -> keras.Model:
    inputs = keras.Input((3, 6, 6, 2))
    x = layers.TimeDistributed(conv(6, "conv"), name="frames")(inputs)
    x = layers.TimeDistributed(layers.BatchNormalization(), name="norms")(x)
    x = layers.ConvLSTM2D(4, 2, name="film")(layers.TimeDistributed(layers.ReLU(), name="relus")(x))
    return headed(inputs, x)


def sequential_in_models() -> keras.Model:
    body = keras.Sequential(
        [keras.Input(IMAGE), conv(8, "conv1"), layers.ReLU(), conv(6, "conv2")], name="body"
    )
    head = keras.Sequential([layers.GlobalAveragePooling2D(), layers.Dense(5), layers.Dense(2)], name="head")
    return keras.Sequential([keras.Input(IMAGE), body, layers.BatchNormalization(), head], name="whole")


def towers() -> keras.Model:
    """Two towers whose codes are compared: as vectors of length 1, by their product."""
    inputs = [keras.Input((6, 4), name="words"), keras.Input((5,), name="picture")]
    words = layers.GlobalAveragePooling1D(name="mean")(layers.Dense(8, name="each")(inputs[0]))
    codes = layers.Dense(8, name="of_words")(words), layers.Dense(8, name="of_picture")(inputs[1])
    unit = [layers.UnitNormalization(name=f"unit{i}")(code) for i, code in enumerate(codes)]
    near = layers.Dot(1, normalize=True, name="near")(unit)
    return keras.Model(inputs, [near, ops.einsum("ac,bc->ab", *unit)])


def grouped_heads() -> keras.Model:
    inputs = keras.Input((5, 4))
    x = layers.Dense(12, name="stream")(inputs)
    y = layers.GroupQueryAttention(6, 8, 4, name="attention", use_gate=True)(x, x, use_causal_mask=True)
    x = layers.RMSNormalization(name="norm")(layers.Add(name="sum")([x, y]))
    return headed(inputs, layers.GlobalAveragePooling1D(name="pool")(x))


def language_model() -> keras.Model:
    inputs = keras.Input(WORDS, dtype="int32")
    words = layers.ReversibleEmbedding(7, 8, name="words")
    x = layers.LayerNormalization(name="norm")(layers.Dense(8, name="dense")(words(inputs)))
    return keras.Model(inputs, words(x, reverse=True))


def added_attention() -> keras.Model:
    words, picture = keras.Input((6, 5)), keras.Input((4, 7))
    query, value = layers.Dense(8, name="q")(words), layers.Dense(8, name="v")(picture)
    x = layers.AdditiveAttention(name="attention")([query, value])
    x = layers.Attention(score_mode="concat", name="concat")([layers.Dense(8, name="q2")(x), value])
    return headed([words, picture], layers.GlobalAveragePooling1D(name="pool")(x))


def pictures_in_time() -> keras.Model:
    inputs = keras.Input((3, 6, 6, 2))
    x = layers.ConvLSTM2D(4, 3, return_sequences=True, name="film")(inputs)
    x = layers.ConvLSTM2D(6, 2, padding="same", return_sequences=True, return_state=True, name="second")(x)
    frames = layers.Conv3D(5, 1, name="frames")(x[0])
    return headed(inputs, layers.Concatenate(name="joined")([ops.mean(frames, axis=1), x[1][:, :4, :4]]))


OF_IMAGES = [
    *(depthwise_multiplied, depthwise_as_groups, grouped, separable, bottleneck, dense_block, squeeze_excite),
    *(
        spatial_gate,
        u_net,
        group_normalized,
        layer_normalized,
        sloped,
        flattened,
        permuted,
        decoded,
        shuffled,
    ),
    *(gated_linear, sliced, stacked, scaled_by_arrays, in_half_precision, opaque, of_users_layer),
    *(custom_activation, softmaxed, resized, pixels_shuffled),
]
OTHERS = [
    *(two_inputs_and_outputs, siamese, shared_layer, one_dimension, three_dimensions, einsums, transformer),
    *(cross_attention, attention_of_operations, recurrent, bidirectional, states, film),
    *(sequential_in_models, towers, grouped_heads, language_model, added_attention, pictures_in_time),
]
MODELS: dict[str, Callable[[], keras.Model]] = {
    make.__name__: make for make in [*map(image_model, OF_IMAGES), *OTHERS]
}
