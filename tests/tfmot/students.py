"""tf_keras students, plain and in every wrapper of tensorflow-model-optimization; what must hold of them."""

import keras
import numpy as np
import pytest
import tf_keras

import keras_kd as kd
from keras_kd.legacy import unwrapped

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(24, 6)).astype("float32")
Y = RANDOM.integers(0, 3, 24)
NAMES = ["hidden", "head"]


def cross_entropy():
    return tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def network(library, units, name):
    """The same network of Keras 3 or of tf_keras."""
    layers = library.layers
    inputs = library.Input((6,))
    x = layers.Dense(units, "relu", name="hidden")(inputs)
    return library.Model(inputs, layers.Dense(3, name="head")(x), name=name)


def student():
    tf_keras.utils.set_random_seed(1)
    return network(tf_keras, 8, "student")


TEACHERS = {
    "keras": lambda: network(keras, 9, "teacher"),
    "tf_keras": lambda: network(tf_keras, 9, "teacher"),
}


def with_kernels(change):
    model = student()
    model.set_weights([change(w) if w.ndim == 2 else w for w in model.get_weights()])
    return model


def halved(kernel):
    """With the smaller half of the weights at zero."""
    return np.where(np.abs(kernel) < np.median(np.abs(kernel)), 0, kernel)


def grouped(kernel):
    """With four values."""
    values = np.quantile(kernel, [0.1, 0.4, 0.6, 0.9])
    return values[np.abs(kernel[..., None] - values).argmin(-1)]


def both(kernel):
    """With three values, one of them zero."""
    return np.where(halved(kernel) == 0, 0, np.where(kernel > 0, 0.3, -0.3))


def pruned():
    schedule = kd.tfmot.import_tfmot().sparsity.keras.ConstantSparsity(0.5, 0, frequency=1)
    return kd.tfmot.prune_low_magnitude(student(), schedule)


WRAPPED = {
    "pruned": pruned,
    "clustered": lambda: kd.tfmot.cluster_weights(student(), 4, "LINEAR"),
    "QAT": lambda: kd.tfmot.quantize_model(student()),
    "PQAT": lambda: kd.tfmot.quantize_model(with_kernels(halved), "sparsity"),
    "CQAT": lambda: kd.tfmot.quantize_model(with_kernels(grouped), "clusters"),
    "PCQAT": lambda: kd.tfmot.quantize_model(with_kernels(both), ("sparsity", "clusters")),
}


def stripped(kind, model):
    if kind == "pruned":
        return kd.tfmot.strip_pruning(model)
    return kd.tfmot.strip_clustering(model) if kind in ("clustered", "CQAT", "PCQAT") else model


def callbacks(kind):
    return [kd.tfmot.import_tfmot().sparsity.keras.UpdatePruningStep()] if kind == "pruned" else []


def kernels(model):
    """What the dense layers compute with; tfmot puts it there when the model runs."""
    model(X)
    layers = [unwrapped(layer) for layer in model.layers]
    return {layer.name: np.array(layer.kernel) for layer in layers if layer.name in NAMES}


def quantized(kernel):
    """Whether the values are multiples of a 127th of the largest."""
    steps = kernel / np.abs(kernel).max() * 127
    return np.abs(steps - np.round(steps)).max() < 1e-3


HOLDS = {
    "pruned": lambda kernel: np.mean(kernel == 0) == 0.5,
    "clustered": lambda kernel: len(np.unique(kernel)) <= 4,
    "QAT": quantized,
    "PQAT": lambda kernel: np.mean(kernel == 0) >= 0.5 and quantized(kernel),
    "CQAT": lambda kernel: len(np.unique(kernel)) <= 4 and quantized(kernel),
    "PCQAT": lambda kernel: len(np.unique(kernel)) <= 3 and np.mean(kernel == 0) >= 0.5 and quantized(kernel),
}


L = tf_keras.layers


def sequential(*layers):
    return tf_keras.Sequential(layers, name="student")


def with_layer(layer, units=3):
    inputs = tf_keras.Input((6,))
    x = L.Dense(units, name="hidden")(inputs)
    return tf_keras.Model(inputs, L.Dense(3, name="head")(layer(x)), name="student")


class Own(L.Layer):
    """A layer that no function of tfmot supports."""

    def build(self, shape):
        self.scale = self.add_weight("scale", shape=(shape[-1],))

    def call(self, inputs):
        return inputs * self.scale


def unsupported():
    """A model with two layers that tfmot does not support."""
    inputs = tf_keras.Input((6,))
    x = L.Dense(4, name="hidden")(Own(name="first")(inputs))
    return tf_keras.Model(inputs, Own(name="second")(x), name="student")


def nested():
    inputs = tf_keras.Input((6,))
    return tf_keras.Model(inputs, network(tf_keras, 8, "backbone")(inputs), name="student")


def half_precision():
    """A model of mixed precision with a head in float32, made while the global policy is another."""
    model = sequential(
        L.Input((4,)), L.Dense(8, dtype="mixed_float16", name="hidden"), L.Dense(2, name="head")
    )
    model._set_dtype_policy("mixed_float16")
    return model


# tfmot's functions that wrap, by name, and those that strip.
WRAPS = {
    "prune_low_magnitude": kd.tfmot.prune_low_magnitude,
    "cluster_weights": lambda model, **options: kd.tfmot.cluster_weights(model, 4, "LINEAR", **options),
    "quantize_model": kd.tfmot.quantize_model,
}
STRIPS = {"strip_pruning": kd.tfmot.strip_pruning, "strip_clustering": kd.tfmot.strip_clustering}


def refused(table):
    """The cases of a table of `name: (make, error, message)`, for `assert_refused`."""
    return [pytest.param(*case, id=name) for name, case in table.items()]


def assert_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()
