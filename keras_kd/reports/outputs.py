"""The outputs of what is compared, under the same names."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import keras
import numpy as np

from keras_kd.finite import nonfinite
from keras_kd.messages import one_line
from keras_kd.reports.subjects import Subject
from keras_kd.tensors import Tensors

Outputs = Mapping[str, np.ndarray]
T = TypeVar("T")


def check_finite(x: Tensors) -> None:
    """Reject inputs for which no figure would be meaningful."""
    if any(nonfinite(array).any() for array in keras.tree.flatten(x)):
        raise ValueError("The data holds NaN or infinity: remove those samples first.")


def predict(subject: Subject, x: Tensors, of_students: bool = False) -> Outputs:
    """The outputs for one batch; an error names the subject.

    Args:
        subject: What predicts.
        x: The inputs.
        of_students: Whether they are the data of a `Distiller` that is told what its student takes.
    """
    try:
        return subject.predict(x)
    except (ValueError, TypeError) as error:
        advice = (
            " A file knows the keys of `student_inputs` if the Distiller is exported, and not its student."
            if of_students and subject.path is not None
            else ""
        )
        raise ValueError(f"{subject.name!r} cannot run on this data: {one_line(error)}{advice}") from error


def check_same_shapes(outputs: Mapping[str, Outputs], baseline: str | None) -> None:
    """Reject outputs of different shapes, which cannot be compared."""
    first = baseline if baseline is not None else next(iter(outputs))
    for name, output in outputs.items():
        other = under_names(output, list(outputs[first]))
        if {key: a.shape for key, a in other.items()} != {key: a.shape for key, a in outputs[first].items()}:
            shapes = f"{first!r} has {_shapes(outputs[first])}, {name!r} has {_shapes(output)}"
            raise ValueError(f"All models must have outputs of the same shape: {shapes}.")


def _shapes(output: Outputs) -> list[tuple[int, ...]]:
    return [array.shape[1:] for array in output.values()]


def under_names(known: Mapping[str, T], names: Sequence[str]) -> dict[str, T]:
    """What is known of the outputs of a model, under the names of another one.

    By name, else in order: models give their outputs in the order in which they return them, and so do files,
    which go by the names of their models.
    """
    if set(known) == set(names):
        return {name: known[name] for name in names}
    return dict(zip(names, known.values(), strict=True)) if len(known) == len(names) else dict(known)
