"""What a loss is called with: signals, the masks that come with them, and sample weights."""

from collections.abc import Sequence
from typing import TypeAlias

import keras
from keras import ops

from keras_kd.keras_internals import mask_of
from keras_kd.tensors import Number, Tensor

# One tensor, or the tensors of several taps. A loss that takes either is annotated with this.
Signal: TypeAlias = Tensor | tuple[Tensor, ...] | list[Tensor]
# `(batch, ...positions)`, true where a position counts; `None`: all of them count.
Mask: TypeAlias = Tensor | None
# `(batch, ...positions)`, what each position weighs; `None`: all of them the same.
PositionWeight: TypeAlias = Tensor | None
# The training step, where it is known.
Step: TypeAlias = Number | None


def parts_of(signal: Signal) -> tuple[Tensor, ...]:
    """The tensors of a signal: a single one as a tuple of one."""
    return tuple(signal) if isinstance(signal, (tuple, list)) else (signal,)


def has_parts(signal: Signal, least: int, most: float) -> bool:
    """Whether a signal consists of as many tensors as a loss reads."""
    if not keras.tree.is_nested(signal):
        return least == 1
    # A tuple of one is intended for a loss without an upper limit; for other losses it is a mistake.
    return max(least, 1 if most == float("inf") else 2) <= len(signal) <= most


def describe(signal: Signal) -> str:
    """The shape of a signal, or the shapes of its parts, for an error."""
    if not keras.tree.is_nested(signal):
        return str(tuple(getattr(signal, "shape", ())))
    parts = [str(tuple(part.shape)) if hasattr(part, "shape") else type(part).__name__ for part in signal]
    return f"a {type(signal).__name__} of {len(parts)}: {', '.join(parts)}"


def convert(signal: Signal, dtype: str, labels_last: bool = False) -> Signal:
    """Tensors in a dtype, except for labels as the last part: float32 cannot represent 2^24 + 1."""
    if labels_last and isinstance(signal, (tuple, list)):
        *others, labels = signal
        return (*(_convert_tensor(part, dtype) for part in others), ops.convert_to_tensor(labels))
    return keras.tree.map_structure(lambda part: _convert_tensor(part, dtype), signal)


def _convert_tensor(value: Number, dtype: str) -> Tensor:
    value = ops.convert_to_tensor(value)
    # A cast makes a new tensor without a mask; the caller's tensor keeps its own.
    return ops.cast(value, dtype) if ops.dtype(value) != dtype else value


def masks_of(signal: Signal) -> list[Tensor]:
    """The padding masks that Keras attached to the tensors of a signal."""
    masks = [mask_of(tensor) for tensor in keras.tree.flatten(signal)]
    return [mask for mask in masks if mask is not None]


def join_masks(masks: Sequence[Tensor]) -> Tensor | None:
    """One boolean mask, true where all are, or `None` for no masks; a `ValueError` if shapes differ."""
    joined = None
    for mask in masks:
        mask = ops.cast(mask, "bool")
        if joined is not None and tuple(joined.shape[1:]) != tuple(mask.shape[1:]):
            raise ValueError(
                f"The signals carry masks of different shapes: {tuple(joined.shape)} and "
                f"{tuple(mask.shape)}. Tap layers with the same tokens."
            )
        joined = mask if joined is None else ops.logical_and(joined, mask)
    return joined


def split_sample_weight(sample_weight: Tensor | None, dtype: str) -> tuple[Tensor | None, PositionWeight]:
    """Sample weights as one per sample, `(batch,)`, or one per position, `(batch, ...positions)`.

    Last axes of size 1 are removed: labels often have one, and the weights have the shape of the labels.
    """
    if sample_weight is None:
        return None, None
    weights = ops.cast(ops.convert_to_tensor(sample_weight), dtype)
    while len(weights.shape) > 1 and weights.shape[-1] == 1:
        weights = ops.squeeze(weights, axis=-1)
    return (None, weights) if len(weights.shape) > 1 else (weights, None)
