"""A BatchNorm in inference: a scale and a shift of each channel, which weights of other layers can hold."""

from typing import NamedTuple

import keras
import numpy as np
from keras import layers

CONVOLUTIONS = layers.Conv1D, layers.Conv2D, layers.Conv3D
TRANSPOSED = layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose
DEPTHWISE = layers.DepthwiseConv1D, layers.DepthwiseConv2D
SEPARABLE = layers.SeparableConv1D, layers.SeparableConv2D


class Affine(NamedTuple):
    """`x * scale + shift` of each channel, in float64."""

    scale: np.ndarray
    shift: np.ndarray


def affine_of(norm: keras.layers.BatchNormalization) -> Affine:
    """What a BatchNorm computes in inference."""
    scale = 1 / np.sqrt(value_of(norm.moving_variance) + norm.epsilon)
    if norm.gamma is not None:
        scale = scale * value_of(norm.gamma)
    shift = -value_of(norm.moving_mean) * scale
    return Affine(scale, shift if norm.beta is None else shift + value_of(norm.beta))


def value_of(variable: keras.Variable) -> np.ndarray:
    """A variable in float64."""
    return np.asarray(keras.ops.convert_to_numpy(variable), "float64")


def folded_after(layer: keras.layers.Layer, affine: Affine) -> dict[str, np.ndarray]:
    """The weights of a Dense or convolution with a scale and a shift of its output."""
    kernel = "pointwise_kernel" if isinstance(layer, SEPARABLE) else "kernel"
    value, scale = value_of(getattr(layer, kernel)), affine.scale
    if isinstance(layer, TRANSPOSED):
        scale = scale[:, None]
    elif isinstance(layer, DEPTHWISE):
        scale = scale.reshape(value.shape[-2:])
    bias = 0.0 if layer.bias is None else value_of(layer.bias)
    return {kernel: value * scale, "bias": bias * affine.scale + affine.shift}


def folded_before(layer: keras.layers.Layer, affine: Affine) -> dict[str, np.ndarray]:
    """The weights of a Dense or convolution with a scale and a shift of its input, which it must not pad."""
    kernel = "depthwise_kernel" if isinstance(layer, SEPARABLE) else "kernel"
    value = value_of(getattr(layer, kernel))
    scale, shift = (_along_inputs(layer, part) for part in affine)
    window = (value * shift).sum(tuple(range(value.ndim - 2)))  # (inputs, outputs)
    if isinstance(layer, SEPARABLE):
        pointwise = value_of(layer.pointwise_kernel)
        through = window.reshape(-1) @ pointwise.reshape(pointwise.shape[-2:])
    else:
        through = window.reshape(-1) if isinstance(layer, DEPTHWISE) else window.sum(0)
    bias = 0.0 if layer.bias is None else value_of(layer.bias)
    return {kernel: value * scale, "bias": bias + through}


def _along_inputs(layer: keras.layers.Layer, values: np.ndarray) -> np.ndarray:
    """Values of the channels of an input, to be multiplied with a kernel `(..., inputs, outputs)`."""
    if not isinstance(layer, CONVOLUTIONS) or layer.groups == 1:
        return values[:, None]
    # Each output reads the channels of its own group.
    return np.repeat(values.reshape(layer.groups, -1), layer.filters // layer.groups, axis=0).T
