"""Sizes for the axes of inputs that a model leaves free, such as the height and width of an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import keras
import numpy as np

from keras_kd.deployment.interface import Interface
from keras_kd.deployment.source.serving import Serving
from keras_kd.deployment.tensor_details import TensorDetails, fits
from keras_kd.tensors import Shape, Tensors

# The shape of one sample, as (224, 224, 3); for several inputs a dict or list of shapes.
InputShape: TypeAlias = Sequence[Any] | Mapping[str, Any]

# What is tried where a length is not known: most models take the first one.
LENGTHS = (32, 16, 8, 64, 128, 256)


def is_free(tensor: TensorDetails) -> bool:
    """Whether an input takes samples of several shapes."""
    return None in tensor.shape[1:]


def without_batch(tensor: TensorDetails) -> str:
    """The shape of one sample for messages: `(any, any, 3)`."""
    return _text(tensor.shape[1:])


def _text(shape: Shape) -> str:
    sizes = ["any" if size is None else str(size) for size in shape]
    return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"


def sized(served: Serving, input_shape: InputShape | None) -> Serving:
    """The same model with inputs of these shapes.

    Raises:
        ValueError: if a shape does not fit its input.
    """
    if input_shape is None:
        return served
    shapes = shapes_by_name(input_shape, served.interface(), served.inputs)
    tensors = [replace(tensor, shape=(tensor.shape[0], *shapes[tensor.name])) for tensor in served.inputs]
    return replace(served, structure=keras.tree.pack_sequence_as(served.structure, tensors))


def shapes_by_name(
    input_shape: InputShape, interface: Interface, tensors: tuple[TensorDetails, ...]
) -> dict[str, tuple[int, ...]]:
    """The shape of one sample of each input.

    Raises:
        ValueError: if a shape does not fit its input, or a name is unknown.
    """
    given = interface.matched(_placeholders(input_shape))
    shapes = {}
    for tensor in tensors:
        wanted, shape = tensor.shape[1:], np.shape(given[tensor.name])
        if not fits(shape, wanted):
            raise ValueError(
                f"input_shape={_text(shape)} does not fit input {tensor.name!r}: one sample of it has the "
                f"shape {without_batch(tensor)}, without a batch axis."
            )
        shapes[tensor.name] = shape
    return shapes


def _placeholders(shape: object) -> Tensors:
    """Arrays of these shapes that take no memory, in the same structure."""
    if isinstance(shape, Mapping):
        return {name: _placeholders(value) for name, value in shape.items()}
    if isinstance(shape, Sequence) and not isinstance(shape, str):
        if any(isinstance(part, (Mapping, Sequence)) for part in shape):
            return [_placeholders(part) for part in shape]
        if all(isinstance(size, (int, np.integer)) and size > 0 for size in shape):
            return np.broadcast_to(np.int8(0), tuple(shape))
    raise ValueError(
        f"input_shape must be the shape of one sample, such as (224, 224, 3), or a dict of them by input; "
        f"received {shape!r}."
    )
