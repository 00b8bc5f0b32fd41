"""Kernels with other values: the smallest weights zero, or few distinct values."""

import functools
from collections.abc import Callable, Sequence
from typing import TypeAlias

import keras
import numpy as np

from keras_kd.compression.clustering.sharing import share_values
from keras_kd.compression.kernel_selection import select_kernels
from keras_kd.compression.kernels import Kernel
from keras_kd.compression.pruning.patterns import keep_largest
from keras_kd.compression.selection import Selection
from keras_kd.compression.sensitivity.parts import Change, Dissection, Part

NewValue: TypeAlias = Callable[[Kernel, float], np.ndarray]


def kernel_parts(new_value: NewValue, model: keras.Model, selection: Selection[float]) -> Dissection:
    """The layers of a model that have kernels. An embedding is one of them only if it is named.

    Args:
        new_value: What a kernel becomes for an amount; each kernel of a layer by itself.
        model: A copy of the model.
        selection: What the user chose.

    Raises:
        ValueError: A name that does not exist, or nothing that has kernels.
    """
    model.trainable = True  # what is frozen can be measured as well
    by_layer: dict[str, list[Kernel]] = {}
    for kernel, _ in select_kernels(model, selection):
        by_layer.setdefault(kernel.layer, []).append(kernel)
    parts = [Part(layer, functools.partial(_changed, new_value, own)) for layer, own in by_layer.items()]
    return Dissection(model, parts)


def _changed(new_value: NewValue, kernels: Sequence[Kernel], amount: float) -> Change:
    return [(kernel.variable, new_value(kernel, amount)) for kernel in kernels]


def prune(kernel: Kernel, sparsity: float) -> np.ndarray:
    """A kernel whose smallest weights are zero, as `kd.Prune` makes them."""
    value = kernel.value()
    (kept,) = keep_largest([np.abs(value)], sparsity)
    return value * kept


def cluster(kernel: Kernel, clusters: float) -> np.ndarray:
    """A kernel of few distinct values, as `kd.Cluster` makes them; zeros stay."""
    has_zeros = bool((kernel.value() == 0).any())
    sharing = share_values(kernel, int(clusters), "kmeans++", "layer", has_zeros)
    return sharing.centroids[sharing.index]
