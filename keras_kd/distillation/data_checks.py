"""What `fit` is given, and its first batch, validated before any training."""

import warnings
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_kd.cardinality import is_endless
from keras_kd.distillation.model_inputs import named_specs, require_student_inputs
from keras_kd.finite import first_bad_row
from keras_kd.parts import parts
from keras_kd.signals import batches
from keras_kd.signals.tracing import input_spec
from keras_kd.tensors import Tensors


def find_arrays(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The data among the arguments of `fit`, by the name that messages give it."""
    x, held_out = arguments.get("x"), arguments.get("validation_data")
    found = {"x": x, "y": arguments.get("y"), "sample_weight": arguments.get("sample_weight")}
    if isinstance(x, batches.Taught):
        batch = batches.unpack((x,))
        found |= {"x": batch.inputs, "Taught.signals": batch.cached_signals}
    if isinstance(held_out, tuple):
        found |= {f"validation_data[{i}]": part for i, part in enumerate(held_out)}
    return found


def check_arrays(data: Mapping[str, Any]) -> None:
    """Reject data that is empty or contains NaN.

    Arrays are scanned; of a `tf.data.Dataset`, only the size is known before it runs.

    Args:
        data: What `fit` was given, by name.

    Raises:
        ValueError: What is wrong, and where.
    """
    for name, value in data.items():
        if isinstance(value, tf.data.Dataset):
            if int(value.cardinality()) == 0:
                raise ValueError(f"The data set `{name}` is empty: it has no batch.")
            continue
        for array in keras.tree.flatten(value):
            if isinstance(array, np.ndarray):
                _check_array(name, array)


def warn_of_endless_data(arguments: Mapping[str, Any]) -> None:
    """Warn if an epoch of `fit` would never end: Keras waits for the end of data that has none.

    Args:
        arguments: The arguments of `fit`. Generators do not tell whether they end.
    """
    for name, steps in (("x", "steps_per_epoch"), ("validation_data", "validation_steps")):
        if arguments.get(steps) is None and is_endless(arguments.get(name)):
            warnings.warn(
                f"`{name}` is endless, and `{steps}` is not given: as in Keras, an epoch then goes on until "
                f"a callback stops it. Give `{steps}`, or leave out `repeat()`: `epochs` repeats the data.",
                stacklevel=4,
            )


def _check_array(name: str, array: np.ndarray) -> None:
    if array.ndim == 0:
        return  # Keras refuses it
    if len(array) == 0:
        raise ValueError(f"`{name}` is empty: it has no sample.")
    suppresses = name == "Taught.signals"  # which the objectives are tried on
    row = first_bad_row(array, may_suppress=suppresses) if array.dtype.kind == "f" else None
    if row is not None:
        raise ValueError(f"`{name}` holds NaN or infinity, first in row {row}. Clean the data first.")


def check_inputs(student: keras.Model, inputs: Tensors) -> None:
    """Raise a `ValueError` if a batch lacks an input of the student or has another shape; Keras adapts ranks.

    Args:
        student: The student; the inputs of a subclassed one are not known, and are not checked.
        inputs: What the student takes of the data, with known ranks.
    """
    require_student_inputs(student, inputs)
    expected, received = parts(input_spec(student)), parts(inputs)
    if expected.keys() != received.keys():  # then Keras goes by the names of inputs, or by their order
        expected = named_specs(student)
    for name, tensor in received.items():
        spec = expected.get(name)
        if spec is None or tensor is None or spec.shape.rank != len(tensor.shape):
            continue
        if not spec.shape[1:].is_compatible_with(tensor.shape[1:]):
            raise ValueError(
                f"The student {student.name!r} takes inputs of shape {tuple(spec.shape)}, and the data has "
                f"{tuple(tensor.shape)}."
            )


def require_labels_of_weights(arguments: Mapping[str, Any]) -> None:
    """Raise a `ValueError` for sample weights without labels among the arguments of `fit`.

    Keras drops such weights, and trains as if there were none.
    """
    if arguments.get("sample_weight") is not None and arguments.get("y") is None:
        raise ValueError(
            "`sample_weight` without `y`: Keras ignores it. If nothing reads labels, give any, such as "
            "y=np.zeros(len(x)); or give one tf.data.Dataset of (x, y, sample_weight)."
        )


def require_labels(labels: Tensors) -> None:
    """Raise a `ValueError` if there are no labels for the compiled loss."""
    if labels is None:
        raise ValueError(
            "compile(loss=...) needs labels, and the data has none. Leave `loss` out of `compile` to "
            "train on the objectives alone."
        )


def require_metric_labels(labels: Tensors) -> None:
    """Raise a `ValueError` if there are no labels for the compiled metrics."""
    if labels is None:
        raise ValueError("compile(metrics=...) needs labels, and the data has none.")
