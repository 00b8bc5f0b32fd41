"""What all losses share: one value per sample over the unmasked positions, and shape checks."""

import math

import keras
import numpy as np
from keras import ops

from keras_kd.losses.inputs import Mask, PositionWeight
from keras_kd.losses.pooling import pool_to
from keras_kd.tensors import Tensor


def mean_per_sample(values: Tensor, mask: Mask = None, position_weight: PositionWeight = None) -> Tensor:
    """Average over every axis but the first: `(batch, ...)` to `(batch,)`.

    With a mask `(batch, ...positions)`, only the positions where it is true count. A sample without
    any has the value 0. Weights scale the values of their position, and the divisor remains the number
    of positions, as in Keras's own losses.

    Raises:
        ValueError: A mask or weights whose positions do not match those of the values.
    """
    values = weigh(values, position_weight)
    if mask is None:
        return ops.mean(values, axis=tuple(range(1, len(values.shape)))) if len(values.shape) > 1 else values
    require_positions(mask, values)
    positions = len(mask.shape)
    if len(values.shape) > positions:
        values = ops.mean(values, axis=tuple(range(positions, len(values.shape))))
    return sum_per_sample(values, mask) / count_per_sample(mask, values.dtype)


def sum_per_sample(values: Tensor, mask: Mask = None, position_weight: PositionWeight = None) -> Tensor:
    """Sum over every axis but the first, weighted, for the positions where the mask is true."""
    values = weigh(values, position_weight)
    if mask is not None:
        values = keep(values, mask)
    return ops.sum(values, axis=tuple(range(1, len(values.shape)))) if len(values.shape) > 1 else values


def keep(values: Tensor, mask: Mask, instead: float = 0.0) -> Tensor:
    """The values `(batch, ...positions, ...)`, with `instead` where the mask is false; `None` keeps all.

    Raises:
        ValueError: A mask whose positions do not match those of the values.
    """
    if mask is None:
        return values
    require_positions(mask, values)
    for _ in range(len(values.shape) - len(mask.shape)):
        mask = ops.expand_dims(mask, -1)
    return ops.where(mask, values, ops.cast(instead, values.dtype))


def count_per_sample(mask: Tensor, dtype: str | np.dtype) -> Tensor:
    """Number of unmasked positions of each sample, at least 1: `(batch,)`."""
    count = ops.sum(ops.cast(mask, dtype), axis=tuple(range(1, len(mask.shape))))
    return ops.maximum(count, 1)


def weigh(values: Tensor, position_weight: PositionWeight) -> Tensor:
    """The values `(batch, ...positions, ...)`, times the weight of their position; `None`: unchanged.

    The weights may be those of a larger map, as the labels of a segmentation are larger than most
    features. They are average-pooled to the values' positions: a value then weighs as much as if it were
    repeated for each pixel that it covers.

    Raises:
        ValueError: Weights that are not those of the values' positions.
    """
    if position_weight is None:
        return values
    weights = _weights_for(position_weight, values)
    for _ in range(len(values.shape) - len(weights.shape)):
        weights = ops.expand_dims(weights, -1)
    # A value that does not count may be infinite, as that of an ignored pixel.
    return ops.where(ops.equal(weights, 0), 0.0, values * weights)


def _weights_for(weights: Tensor, values: Tensor) -> Tensor:
    w, v = tuple(weights.shape)[1:], tuple(values.shape)[1 : len(weights.shape)]
    if len(w) < 2 or len(w) > len(v) or (w == v and None not in w):
        if not fits(weights, values):
            raise ValueError(_no_such_positions(weights, values))
        return weights
    pairs = list(zip(w, v, strict=True))
    if any(a < b for a, b in pairs if a is not None and b is not None):
        raise ValueError(_no_such_positions(weights, values))
    sizes = [ops.shape(values)[axis] if b is None else b for axis, (_, b) in enumerate(pairs, 1)]
    return ops.squeeze(pool_to(ops.expand_dims(weights, -1), sizes), axis=-1)


def _no_such_positions(weights: Tensor, values: Tensor) -> str:
    return (
        f"Weights of the shape {tuple(weights.shape)} do not belong to the values of the loss, "
        f"{tuple(values.shape)}. They need one weight for each of its tokens or pixels, or those of a larger "
        f"map. Give one weight per sample, {shape_per_sample(weights)}, or exempt the objective with "
        "use_sample_weight=False."
    )


def shape_per_sample(weights: Tensor) -> str:
    """How to shape one weight per sample so that it also fits the losses of Keras that these weights fit."""
    return f"(batch{', 1' * (len(weights.shape) - 1)})"


def fits(mask: Tensor, values: Tensor) -> bool:
    """Whether the axes of a mask are the first axes of the values; unknown sizes match."""
    m, v = tuple(mask.shape)[1:], tuple(values.shape)[1:]
    known = [(a, b) for a, b in zip(m, v, strict=False) if a is not None and b is not None]
    return 0 < len(m) <= len(v) and all(a == b for a, b in known)


def require_positions(mask: Tensor, values: Tensor) -> None:
    """Raise a `ValueError` unless the axes of a mask are the first axes of the values."""
    if not fits(mask, values):
        raise ValueError(
            f"The mask has the shape {tuple(mask.shape)} and does not fit the positions of the signal, "
            f"{tuple(values.shape)}. A mask has one entry for each token or pixel: (batch, ...positions)."
        )


def require_same_shape(loss: keras.losses.Loss, teacher: Tensor, student: Tensor) -> None:
    """Raise unless both signals have the same shape (unknown axes pass); Keras itself would broadcast.

    Raises:
        ValueError: Ranks or axes differ.
    """
    t, s = tuple(teacher.shape)[1:], tuple(student.shape)[1:]
    if len(t) != len(s) or any(a != b for a, b in zip(t, s, strict=True) if a is not None and b is not None):
        raise ValueError(
            f"{loss.name!r} needs a teacher and a student signal of the same shape. "
            f"Received: teacher {tuple(teacher.shape)}, student {tuple(student.shape)}."
        )


def flatten(values: Tensor) -> Tensor:
    """`(batch, ...)` to `(batch, everything else)`."""
    return ops.reshape(values, (ops.shape(values)[0], -1)) if len(values.shape) != 2 else values


def flatten_positions(maps: Tensor) -> Tensor:
    """`(batch, ...positions, channels)` to `(batch, positions, channels)`."""
    if len(maps.shape) == 3:
        return maps
    known = [n for n in maps.shape[1:-1] if n is not None]
    positions = math.prod(known) if len(known) == len(maps.shape) - 2 else -1
    return ops.reshape(maps, (ops.shape(maps)[0], positions, maps.shape[-1]))


def spread_over_batch(value: Tensor, signal: Tensor, mask: Mask) -> Tensor:
    """The value of the whole batch for each of its samples; 0 for one that is all padding."""
    values = ops.broadcast_to(value, (ops.shape(signal)[0],))
    return values if mask is None else ops.where(ops.any(flatten(mask), axis=-1), values, 0.0)


def cosine_similarities(features: Tensor) -> Tensor:
    """Cosine similarity of all pairs of samples in a batch, `(batch, batch)`."""
    rows = l2_normalize(flatten(features))
    return ops.matmul(rows, ops.transpose(rows))


def l2_normalize(values: Tensor, axis: int = -1) -> Tensor:
    """Divide by the L2 norm along an axis. Zeros stay zero: they have no direction, and no gradient."""
    square = ops.sum(ops.square(values), axis=axis, keepdims=True)
    zero = square < 1e-24
    return values * ops.where(zero, 0.0, ops.rsqrt(ops.where(zero, 1.0, square)))
