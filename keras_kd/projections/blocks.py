"""Building blocks of projections."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import keras
from keras import layers, ops

from keras_kd.losses.inputs import Mask
from keras_kd.tensors import Shape, Tensor

DType: TypeAlias = str | keras.DTypePolicy
_CONVOLUTIONS = {3: layers.Conv1D, 4: layers.Conv2D, 5: layers.Conv3D}


def convolution(rank: int, units: int, kernel_size: int, **kwargs: Any) -> keras.layers.Layer:
    """A convolution for signals of this rank that keeps their spatial size."""
    return _CONVOLUTIONS[rank](units, kernel_size, padding="same", data_format="channels_last", **kwargs)


def convolution_or_dense(rank: int, units: int, kernel_size: int, **kwargs: Any) -> keras.layers.Layer:
    """A convolution for signals of this rank; for kernel size 1, an equal but faster dense layer."""
    if kernel_size == 1:
        return layers.Dense(units, **kwargs)
    return convolution(rank, units, kernel_size, **kwargs)


def batch_normalization(dtype: DType) -> keras.layers.Layer:
    """BatchNorm with the constants of the published implementations."""
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, dtype=dtype)


def dense_stack(
    shape: Shape, widths: Sequence[int], use_bias: bool, dtype: DType
) -> list[keras.layers.Layer]:
    """Built dense layers of these widths for signals of this shape, with ReLU between them."""
    stack = []
    for number, width in enumerate(widths, 1):
        activation = None if number == len(widths) else "relu"
        dense = layers.Dense(width, activation, use_bias=use_bias, dtype=dtype)
        dense.build(shape)
        shape = (*shape[:-1], width)
        stack.append(dense)
    return stack


def without_padding(signal: Tensor, mask: Mask) -> Tensor:
    """The signal with zeros at padded positions, so that no convolution reads them."""
    return signal if mask is None else signal * ops.expand_dims(ops.cast(mask, signal.dtype), -1)
