"""The weights with which a layer itself computes what the thin layers in its place compute."""

import functools
from collections.abc import Sequence

import keras
import numpy as np
from keras import layers

from keras_kd.compression.low_rank.convolutions import grouped_kernel
from keras_kd.compression.low_rank.dense import letters_of
from keras_kd.compression.low_rank.thin_layers import Factors


def recompose(layer: keras.layers.Layer, factors: Factors) -> list[tuple[keras.Variable, np.ndarray]]:
    """The weights of a layer that make it compute what its factors compute.

    Args:
        layer: The layer, without the `TimeDistributed` around it.
        factors: What stands in place of it.

    Returns:
        Those that change, with their values.
    """
    if isinstance(layer, layers.MultiHeadAttention):
        return _heads(layer, factors.steps[0].weights)
    kernels = [step.weights[0] for step in factors.steps]
    if isinstance(layer, layers.EinsumDense):
        kernel = _einsum(layer, *kernels)
    elif isinstance(layer, layers.Dense):
        kernel = kernels[0] @ kernels[1]
    else:
        # Each row and column of the window is that of one kernel alone, so that a product joins them.
        joined = functools.reduce(np.matmul, (grouped_kernel(layer, kernel) for kernel in kernels))
        kernel = joined.transpose(1, 2, 3, 0, 4).reshape(layer.kernel.shape)
    return [(layer.kernel, kernel)]


def _einsum(layer: layers.EinsumDense, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    letters = letters_of(layer)
    axes = letters.summed + letters.new
    return np.tensordot(left, right, 1).transpose([axes.index(letter) for letter in letters.kernel])


def _heads(
    layer: layers.MultiHeadAttention, weights: Sequence[np.ndarray]
) -> list[tuple[keras.Variable, np.ndarray]]:
    """Smaller heads, filled up with zeros; scores are divided by the root of the full size again."""
    scale, scored = (layer.key_dim / weights[0].shape[-1]) ** 0.25, 4 if layer.use_bias else 2
    values = []
    for number, (variable, weight) in enumerate(zip(layer.weights, weights, strict=True)):
        sides = [(0, full - size) for full, size in zip(variable.shape, weight.shape, strict=True)]
        values.append((variable, np.pad(weight * (scale if number < scored else 1.0), sides)))
    return values
