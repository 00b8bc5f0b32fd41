"""What can be known about data before it is trained on, and what its sample weights mean."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_kd.distillation.objectives import Objective
from keras_kd.losses.loss import snake_case
from keras_kd.signals import batches
from keras_kd.signals.tracing import input_spec


def check_arrays(data: dict[str, Any]) -> None:
    """Refuse data that holds nothing, or NaN.

    Arrays are looked through; of a `tf.data.Dataset` only the size is known before it runs.

    Args:
        data: What `fit` was given, by argument.

    Raises:
        ValueError: With what is wrong and where.
    """
    for name, value in data.items():
        if isinstance(value, tf.data.Dataset):
            if int(value.cardinality()) == 0:
                raise ValueError(f"The data set `{name}` is empty: it has no batch.")
            continue
        for array in keras.tree.flatten(value):
            if not isinstance(array, np.ndarray):
                continue
            if len(array) == 0:
                raise ValueError(f"`{name}` is empty: it has no sample.")
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                row = int(np.argwhere(~np.isfinite(array))[0][0])
                raise ValueError(f"`{name}` holds NaN or infinity, first in row {row}. Clean the data first.")


def check_inputs(student: keras.Model, inputs: Any) -> None:
    """Raise a `ValueError` if a batch has another shape than the student takes; Keras adapts ranks."""
    wanted = batches.parts(input_spec(student))
    received = batches.parts(inputs)
    if wanted.keys() != received.keys():  # Keras goes by the names of inputs, or by their order
        wanted = {spec.name: spec for spec in wanted.values()}
    for name, tensor in received.items():
        spec = wanted.get(name)
        if spec is None or tensor is None or len(spec.shape) != len(tensor.shape):
            continue
        if not spec.shape[1:].is_compatible_with(tensor.shape[1:]):
            raise ValueError(
                f"The student {student.name!r} takes inputs of shape {tuple(spec.shape)}, and the data has "
                f"{tuple(tensor.shape)}."
            )


def check_labels(y: Any, student: keras.Model, loss: Any) -> None:
    """Raise a `ValueError` for whole numbers that are no class of the student.

    Args:
        y: The labels.
        student: The student.
        loss: The compiled loss; labels are checked where it is Keras's sparse cross-entropy.
    """
    for given, labels, output in _pairs(loss, y, getattr(student, "output", None)):
        whole = isinstance(labels, np.ndarray) and labels.dtype.kind in "iu"
        classes = output.shape[-1]
        if _kind(given) != "sparse" or not whole or classes is None:
            continue
        wrong = (labels < 0) | (labels >= classes)
        ignored = getattr(given, "ignore_class", None)
        if ignored is not None:
            wrong &= labels != ignored
        if wrong.any():
            raise ValueError(
                f"`y` holds the label {labels[wrong].flat[0]}, and the student has {classes} classes, "
                f"0 to {classes - 1}."
            )


def check_loss(loss: Any, y: Any, student: keras.Model) -> None:
    """Raise a `ValueError` if labels do not have the shape that a compiled loss of Keras reads.

    Keras would broadcast them and train on nonsense. What cannot be known is left to Keras: functions of
    the user's, several outputs with labels of another structure.
    """
    for given, labels, output in _pairs(loss, y, getattr(student, "output", None)):
        kind = _kind(given)
        if kind is None or labels is None or None in output.shape[1:]:
            continue
        wanted = tuple(output.shape[1:-1] if kind == "sparse" else output.shape[1:])
        received = tuple(labels.shape[1:])
        if _squeezed(received) != _squeezed(wanted):
            raise ValueError(
                f"compile(loss={_name(given)}) does not match the outputs of {student.name!r}: for outputs "
                f"{tuple(output.shape)} it reads labels {(None, *wanted)}, and the data has "
                f"{(None, *received)}.{_ADVICE.get(kind, '')}"
            )


def _pairs(loss: Any, y: Any, outputs: Any) -> list[tuple[Any, Any, Any]]:
    """Losses, labels and outputs that belong together, if the structures say so."""
    outputs = outputs[0] if isinstance(outputs, (list, tuple)) and len(outputs) == 1 else outputs
    if isinstance(outputs, dict) and isinstance(y, dict):
        named = loss if isinstance(loss, dict) else dict.fromkeys(outputs, loss)
        return [
            pair
            for key in outputs
            if key in named and key in y
            for pair in _pairs(named[key], y[key], outputs[key])
        ]
    if isinstance(outputs, (list, tuple)) and isinstance(y, (list, tuple)):
        losses = loss if isinstance(loss, (list, tuple)) else [loss] * len(outputs)
        if isinstance(loss, dict):
            return []
        return [pair for each in zip(losses, y, outputs, strict=False) for pair in _pairs(*each)]
    single = not any(keras.tree.is_nested(part) for part in (loss, y, outputs)) and outputs is not None
    return [(loss, y, outputs)] if single else []


_KERAS = "keras.src", "tf_keras.src"
_ELEMENTWISE = (
    "mean_squared_error",
    "mean_absolute_error",
    "mean_squared_logarithmic_error",
    "mean_absolute_percentage_error",
    "huber",
    "log_cosh",
    "binary_crossentropy",
)
_ADVICE = {
    "sparse": " For one-hot labels use CategoricalCrossentropy.",
    "categorical": " For whole numbers use SparseCategoricalCrossentropy.",
}


def _kind(loss: Any) -> str | None:
    """What labels a loss of Keras reads: `"sparse"`, `"categorical"`, `"elementwise"`; `None` if unknown."""
    name = _name(loss)
    if name == "sparse_categorical_crossentropy":
        return "sparse"
    if name in ("categorical_crossentropy", "categorical_focal_crossentropy"):
        return "categorical"
    return "elementwise" if name in _ELEMENTWISE else None


def _name(loss: Any) -> str:
    """The name of a loss of Keras's own, however it is given; else an empty string."""
    if isinstance(loss, str):
        try:
            loss = keras.losses.get(loss)
        except ValueError:
            return ""  # a name for several losses, such as "crossentropy"
    if isinstance(loss, type):
        return snake_case(loss.__name__) if loss.__module__.startswith(_KERAS) else ""
    if isinstance(loss, keras.losses.Loss) or type(loss).__module__.startswith(_KERAS):
        return _name(type(loss))
    return loss.__name__ if getattr(loss, "__module__", "").startswith(_KERAS) else ""


def _squeezed(shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
    return shape[:-1] if shape and shape[-1] == 1 else shape


def sample_weights(objective: Objective, sample_weight: Any) -> tuple[Any, Any]:
    """What a batch's sample weights mean for one objective.

    Returns:
        One weight per sample, `(batch,)`, and which positions count, `(batch, ...positions)`; the
        latter only where the data has a weight for each token or pixel. A sample's weight is then the
        mean over its positions. With weights of 0 and 1 that is what Keras makes of them.

    Raises:
        ValueError: Weights per output, and an objective that reads none of these outputs.
    """
    if sample_weight is None or not objective.use_sample_weight:
        return None, None
    if isinstance(sample_weight, (dict, list, tuple)):
        named = batches.parts(sample_weight)
        key = objective.student_taps[0].removeprefix("output/")
        key = next(iter(named)) if key == "output" and len(named) == 1 else key
        if key not in named:
            raise ValueError(
                f"Sample weights come per output ({list(named)}), and objective {objective.name!r} reads "
                f"{objective.student_tap!r}. Give one weight per sample, or use_sample_weight=False."
            )
        sample_weight = named[key]
    if sample_weight is None or len(sample_weight.shape) < 2:
        return sample_weight, None
    weights = keras.ops.mean(sample_weight, axis=tuple(range(1, len(sample_weight.shape))))
    return weights, None if tuple(sample_weight.shape[1:]) == (1,) else sample_weight != 0
