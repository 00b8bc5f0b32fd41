"""Labels that the compiled loss would misread, as far as this can be known before training."""

from typing import TypeAlias

import keras
import numpy as np

from keras_kd.keras_internals import is_of_keras
from keras_kd.legacy import is_of_tf_keras
from keras_kd.losses.loss import snake_case
from keras_kd.tensors import Shape, Tensor, Tensors

CompiledLoss: TypeAlias = object  # what `compile` accepts: names, functions, losses, structures of them


def check_labels(y: Tensors, student: keras.Model, loss: CompiledLoss) -> None:
    """Raise a `ValueError` for integer labels that are not valid classes of the student.

    Args:
        y: The labels.
        student: The student.
        loss: The compiled loss; labels are checked where it is Keras's sparse cross-entropy.
    """
    for given, labels, output in _pairs(loss, y, getattr(student, "output", None)):
        classes = output.shape[-1]
        if _kind(given) != "sparse" or classes is None:
            continue
        if not (isinstance(labels, np.ndarray) and labels.dtype.kind in "iu"):
            continue
        wrong = (labels < 0) | (labels >= classes)
        ignored = _ignored_class(given)
        if ignored is not None:
            wrong &= labels != ignored
        if wrong.any():
            raise ValueError(
                f"`y` holds the label {labels[wrong].flat[0]}, and the student has {classes} classes, "
                f"0 to {classes - 1}."
            )


def _ignored_class(loss: object) -> int | None:
    if isinstance(loss, (str, type)) or not hasattr(loss, "get_config"):
        return None
    return loss.get_config().get("ignore_class")  # not every Keras release keeps it as an attribute


def check_loss(loss: CompiledLoss, y: Tensors, student: keras.Model) -> None:
    """Raise a `ValueError` if labels do not have the shape that a compiled Keras loss reads.

    Keras would broadcast them and train on nonsense. What cannot be known is left to Keras: the user's own
    functions, and several outputs with labels of another structure.
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


def _pairs(loss: CompiledLoss, y: Tensors, outputs: Tensors) -> list[tuple[object, Tensor, Tensor]]:
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
    "categorical": " For integer labels use SparseCategoricalCrossentropy.",
}


def _kind(loss: object) -> str | None:
    """What labels a Keras loss reads: `"sparse"`, `"categorical"`, `"elementwise"`; `None` if unknown."""
    name = _name(loss)
    if name == "sparse_categorical_crossentropy":
        return "sparse"
    if name in ("categorical_crossentropy", "categorical_focal_crossentropy"):
        return "categorical"
    return "elementwise" if name in _ELEMENTWISE else None


def _name(loss: object) -> str:
    """The name of one of Keras's own losses, however it is given; otherwise an empty string."""
    if isinstance(loss, str):
        try:
            loss = keras.losses.get(loss)
        except ValueError:
            return ""  # a name for several losses, such as "crossentropy"
    if not (is_of_keras(loss) or is_of_tf_keras(loss)):
        return ""
    if isinstance(loss, type):
        return snake_case(loss.__name__)
    return getattr(loss, "__name__", None) or _name(type(loss))


def _squeezed(shape: Shape) -> Shape:
    return shape[:-1] if shape and shape[-1] == 1 else shape
