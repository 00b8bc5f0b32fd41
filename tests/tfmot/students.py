"""tf_keras students, plain and in every wrapper of tensorflow-model-optimization; what must hold of them."""

import keras
import numpy as np
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
