import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.oracles.logits import kl


def convnet(filters, name="net", activation=None, classes=10, dropout=0.0):
    """Maps, BatchNorm, a pool and a head, all named."""
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(filters, 3, strides=2, padding="same", name="block1")(inputs)
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = keras.layers.ReLU(name="block2")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    x = keras.layers.Dropout(dropout)(x)
    outputs = keras.layers.Dense(classes, activation=activation, name="head")(x)
    return keras.Model(inputs, outputs, name=name)


def mlp(units, name, activation=None):
    """A hidden layer on images, and a head."""
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Dense(units, "relu", name="hidden")(keras.layers.Flatten()(inputs))
    return keras.Model(inputs, keras.layers.Dense(10, activation, name="head")(x), name=name)


def perceptron(units, name="net", activation=None):
    """A hidden layer on vectors of four, and a head of three."""
    inputs = keras.Input((4,))
    x = keras.layers.Dense(units, activation="relu", name="hidden")(inputs)
    return keras.Model(inputs, keras.layers.Dense(3, activation, name="head")(x), name=name)


def predictions(model, x):
    return np.asarray(model(x, training=False), "float64")


def hinton(student, teacher, x, y, temperature, alpha):
    """The blend in NumPy float64, for models without BatchNorm or dropout."""
    s, t = predictions(student, x), predictions(teacher, x)
    log_p = s - s.max(-1, keepdims=True)
    log_p -= np.log(np.exp(log_p).sum(-1, keepdims=True))
    hard = -log_p[np.arange(len(y)), y].mean()
    soft = kl(temperature)(t, s).mean()
    return alpha * hard + (1 - alpha) * soft, hard, soft


def one_step(distiller, x, y=None, sample_weight=None, **compiled):
    """The logs of one eager step, with weights that do not move; tracing a step takes longer than it."""
    distiller.compile(keras.optimizers.SGD(0.0), run_eagerly=True, **compiled)
    return distiller.train_on_batch(x, y, sample_weight, return_dict=True)


def cross_entropy():
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def weights_of(model):
    return [np.array(w) for w in model.get_weights()]


def distance(before, after):
    return max(float(np.abs(a - b).max()) for a, b in zip(before, after, strict=True))


VECTORS = np.random.default_rng(0).random((24, 4)).astype("float32")
CLASSES = np.random.default_rng(1).integers(0, 3, 24)


def as_set(x, y):
    return tf.data.Dataset.from_tensor_slices((x, y)).batch(8)


def as_generator(x, y, *rest):
    while True:
        yield x[:8], y[:8], *rest


# Ways to give `fit` the same data.
FORMS = {
    "arrays": lambda x, y: {"x": x, "y": y},
    "set": lambda x, y: {"x": as_set(x, y)},
    "generator": lambda x, y: {"x": as_generator(x, y), "steps_per_epoch": 2},
    "generator with None": lambda x, y: {"x": as_generator(x, y, None), "steps_per_epoch": 2},
}


def check_refused(distiller, message, **data):
    """`fit` raises, each time it is called, and the student is as it was."""
    before = weights_of(distiller.student)
    for _ in range(2):  # a cell of a notebook is run twice
        with pytest.raises(ValueError, match=message):
            distiller.fit(**data, verbose=0)
    assert distance(before, weights_of(distiller.student)) == 0
    assert int(distiller.optimizer.iterations) == 0


@pytest.fixture
def batch():
    random = np.random.default_rng(0)
    return random.random((32, 8, 8, 1)).astype("float32"), random.integers(0, 10, 32)
