"""Small models of every shape of graph: each tool that reads or changes graphs is tested on all of them."""

from collections.abc import Callable

import keras
import numpy as np
from keras import layers, ops

IMAGE = (8, 8, 3)


def residual() -> keras.Model:
    x = inputs = keras.Input(IMAGE)
    x = layers.Conv2D(4, 3, padding="same", name="stem")(x)
    y = layers.BatchNormalization(name="norm")(layers.Conv2D(4, 3, padding="same", name="conv")(x))
    x = layers.ReLU(name="block")(layers.Add(name="add")([x, y]))
    return keras.Model(inputs, layers.Dense(3, name="head")(layers.GlobalAveragePooling2D(name="pool")(x)))


def written_as_operations() -> keras.Model:
    inputs = keras.Input(IMAGE)
    x = layers.Conv2D(4, 1, name="conv")(inputs)
    x = ops.relu(x + 0.5) * np.array([1.0, 2.0, 3.0, 4.0], "float32")
    x = ops.reshape(x[:, :4], (-1, 4 * 8 * 4))
    return keras.Model(inputs, layers.Dense(2, name="head")(ops.concatenate([x, x], axis=-1)))


def nested() -> keras.Model:
    entry = keras.Input((None, None, 4), name="entry")
    x = layers.Conv2D(4, 3, padding="same", activation="relu", name="conv1")(entry)
    backbone = keras.Model(entry, [x, layers.Conv2D(6, 3, name="conv2")(x)], name="backbone")
    ends = [keras.Input((6,)), layers.Dropout(0.5, name="dropout"), layers.Dense(2, name="logits")]
    head = keras.Sequential(ends, name="head")
    inputs = keras.Input(IMAGE)
    first, second = backbone(layers.Conv2D(4, 1, name="stem")(inputs))
    outputs = head(layers.GlobalMaxPooling2D(name="pool")(second)), layers.Flatten(name="flat")(first)
    return keras.Model(inputs, outputs)


def shared() -> keras.Model:
    inputs = [keras.Input((6,), name="left"), keras.Input((6,), name="right")]
    entry = keras.Input((6,))
    tower = keras.Model(entry, layers.Dense(4, name="hidden")(entry), name="tower")
    scale = layers.Dense(4, name="scale")
    return keras.Model(inputs, layers.Dot(1, name="dot")([scale(tower(x)) for x in inputs]))


def named_inputs_and_outputs() -> keras.Model:
    inputs = {"b": keras.Input((4,), name="b"), "a": keras.Input((3,), name="a")}
    joined = layers.Concatenate(name="joined")([inputs["a"], inputs["b"]])
    hidden = layers.Dense(5, name="hidden")(joined)
    return keras.Model(inputs, {"score": layers.Dense(1, name="score")(hidden), "hidden": hidden})


def masked() -> keras.Model:
    inputs = keras.Input((5,), dtype="int32")
    x = layers.Embedding(7, 4, mask_zero=True, name="embedding")(inputs)
    x = layers.Add(name="add")([x, layers.MultiHeadAttention(2, 2, name="attention")(x, x)])
    x = layers.LayerNormalization(name="norm")(x)
    x = layers.Bidirectional(layers.GRU(3, return_sequences=True), name="rnn")(x)
    return keras.Model(inputs, layers.GlobalAveragePooling1D(name="pool")(x))


def gate() -> keras.Model:
    x = inputs = keras.Input(IMAGE)
    x = layers.DepthwiseConv2D(3, padding="same", name="depthwise")(layers.Conv2D(8, 1, name="expand")(x))
    s = layers.GlobalAveragePooling2D(keepdims=True, name="squeeze")(x)
    s = layers.Conv2D(8, 1, activation="sigmoid", name="excite")(s)
    x = layers.Conv2D(4, 1, name="project")(layers.Multiply(name="scaled")([x, s]))
    return keras.Model(inputs, layers.GlobalAveragePooling2D(name="pool")(x))


def chain() -> keras.Model:
    kinds = [layers.Conv2D(4, 3, name="conv"), layers.Flatten(name="flat"), layers.Dense(2, name="head")]
    return keras.Sequential([keras.Input(IMAGE), *kinds], name="chain")


def called_in_inference() -> keras.Model:
    entry = keras.Input((4,))
    base = keras.Model(
        entry, layers.BatchNormalization(name="norm")(layers.Dense(4, name="hidden")(entry)), name="base"
    )
    base.trainable = False
    inputs = keras.Input((4,))
    return keras.Model(inputs, layers.Dense(2, name="head")(base(inputs, training=False)))


@keras.saving.register_keras_serializable("topologies")
class Block(layers.Layer):
    """A layer of a user, with layers inside."""

    def __init__(self, units: int, **kwargs) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.first, self.second = layers.Dense(units), layers.Dense(units)
        self.second.trainable = False

    def build(self, input_shape):
        self.first.build(input_shape)
        self.second.build((*input_shape[:-1], self.units))

    def call(self, x):
        return x + self.second(ops.relu(self.first(x)))

    def get_config(self):
        return {**super().get_config(), "units": self.units}


def of_users_layers() -> keras.Model:
    inputs = keras.Input((4,))
    return keras.Model(
        inputs, layers.Dense(2, name="head")(Block(4, name="block2")(Block(4, name="block1")(inputs)))
    )


def several_tensors() -> keras.Model:
    inputs = keras.Input((5, 3))
    sequence, hidden, cell = layers.LSTM(4, return_sequences=True, return_state=True, name="lstm")(inputs)
    again = layers.LSTM(4, name="decoder")(sequence, initial_state=[hidden, cell])
    first, second = ops.split(again, 2, axis=-1)
    return keras.Model(inputs, [first, layers.Dense(2, name="head")(second)])


TOPOLOGIES: dict[str, Callable[[], keras.Model]] = {
    make.__name__: make
    for make in (
        *(residual, written_as_operations, nested, shared, named_inputs_and_outputs, masked, gate, chain),
        *(called_in_inference, of_users_layers, several_tensors),
    )
}


def inputs_for(model: keras.Model, batch: int = 3):
    """Random inputs in the structure that a model takes."""
    random = np.random.default_rng(0)

    def draw(symbol):
        shape = (batch, *(d or 8 for d in symbol.shape[1:]))
        if "int" in str(symbol.dtype):
            return random.integers(0, 6, shape) * (np.arange(shape[-1]) < 3) + (np.arange(shape[-1]) < 1)
        return random.normal(size=shape).astype("float32")

    structure = model.inputs[0] if isinstance(model, keras.Sequential) else model.input
    return keras.tree.map_structure(draw, structure)


def outputs_of(model: keras.Model, inputs) -> list[np.ndarray]:
    return [np.asarray(output) for output in keras.tree.flatten(model(inputs, training=False))]


def scrambled(model: keras.Model) -> keras.Model:
    """The model with random weights everywhere, moving statistics too, so that no two variables are alike."""
    random = np.random.default_rng(1)
    for variable in model.variables:
        if "seed" not in variable.path and "float" in str(variable.dtype):
            variable.assign(random.uniform(0.5, 1.5, variable.shape) * 0.3)
    return model
