"""One element of data, a batch or a sample: what in it are inputs, and what are labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

import keras
import numpy as np

from keras_kd.deployment.interface import Interface
from keras_kd.deployment.source.input_structure import flatten_like
from keras_kd.deployment.tensor_details import TensorDetails, fits
from keras_kd.tensors import Tensors

Batch: TypeAlias = tuple[Tensors, Tensors]

# What TensorFlow Datasets and others call the labels in a sample that is a dict.
_LABELS = ("label", "labels")


class Inputs(NamedTuple):
    """What a model takes, which tells a batch from a sample and inputs from labels."""

    interface: Interface
    tensors: tuple[TensorDetails, ...]


def inputs_and_labels(element: object, inputs: Inputs | None) -> Batch:
    """The inputs and labels of a batch or sample; labels are `None` if there are none.

    Args:
        element: `x`, `(x, y)` or `(x, y, weights)`, also as a list, or a dict that holds both.
        inputs: what the model takes, if it is known.

    Raises:
        TypeError: for a tuple of another length.
    """
    if isinstance(element, list) and inputs is not None and _is_pair(element, inputs):
        element = tuple(element)
    if isinstance(element, tuple):
        if not 1 <= len(element) <= 3:
            raise TypeError(f"Expected x, (x, y) or (x, y, weights); received a tuple of {len(element)}.")
        return element[0], element[1] if len(element) > 1 else None
    if isinstance(element, Mapping):
        return _named(dict(element), inputs)
    return element, None


def _named(element: dict[str, Any], inputs: Inputs | None) -> Batch:
    """Inputs and labels of a dict that may hold both, and more."""
    if inputs is None or flatten_like(inputs.interface.inputs, element) is not None:
        return element, None
    known = inputs.interface.known()
    takes_part = inputs.interface.takes_part(element)
    if takes_part:
        known |= {str(key).partition("/")[0]: "" for key in keras.tree.flatten(inputs.interface.keys)}
    labels = next((element[key] for key in _LABELS if key in element and key not in known), None)
    arrays = {
        key: value
        for key, value in element.items()
        if key in known or (key not in _LABELS and _is_numeric(value))
    }
    if takes_part or {known[key] for key in arrays if key in known} == {
        tensor.name for tensor in inputs.tensors
    }:
        return arrays, labels  # of which other models may read others
    if labels is not None and len(inputs.tensors) == len(arrays) == 1:
        return next(iter(arrays.values())), labels
    return element, None


def _is_numeric(value: Tensors) -> bool:
    return all(np.asarray(leaf).dtype.kind in "biufV" for leaf in keras.tree.flatten(value))


def is_sample(x: Tensors, inputs: Inputs) -> bool:
    """Whether these are arrays of one sample, without a batch axis."""
    return _fit(x, inputs, first_axis=1)


def _is_pair(element: list[Any], inputs: Inputs) -> bool:
    """Whether a list is `[x, y]` or `[x, y, weights]`, as the loaders of PyTorch yield it, and not `x`."""
    whole = any(_fit(element, inputs, axis) for axis in (0, 1))
    return 2 <= len(element) <= 3 and not whole and any(_fit(element[0], inputs, axis) for axis in (0, 1))


def _fit(x: Tensors, inputs: Inputs, first_axis: int) -> bool:
    """Whether arrays have the shapes of the inputs from an axis on: 0 for batches, 1 for samples."""
    try:
        arrays = inputs.interface.matched(x)
        shapes = {tensor.name: np.shape(arrays[tensor.name]) for tensor in inputs.tensors}
    except (ValueError, TypeError):
        return False  # what does not match at all is told where the arrays are checked
    return all(fits(shapes[tensor.name], tensor.shape[first_axis:]) for tensor in inputs.tensors)
