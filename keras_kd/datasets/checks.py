"""What inputs and labels must be, whatever they come from."""

import numpy as np

from keras_kd.finite import nonfinite
from keras_kd.tensors import Tensor


class NotClasses(ValueError):
    """Labels that are not one class number per sample."""


def check(x: Tensor, y: Tensor, classes: int | None = None, what: str = "train") -> None:
    """Raise a one-line error if a model cannot be trained on inputs and labels.

    Args:
        x: Inputs, `(samples, ...)`.
        y: Integer labels, `(samples,)`.
        classes: The number of classes, which labels must be below. `None` sets no upper limit.
        what: The name of the arrays in the error.

    Raises:
        ValueError: If the arrays are empty, differ in length, have the wrong rank or type, contain NaN or
            infinity, or if a label is out of range.

    Examples:
        >>> check(np.zeros((4, 8)), np.array([0, 1, 2, 7]), classes=3)
        Traceback (most recent call last):
        ValueError: train: labels must be from 0 to 2, found 7 at row 3
    """
    x, y = np.asarray(x), np.asarray(y)
    check_inputs(x, what)
    if y.ndim != 1:
        hint = "; turn one-hot labels into integers with y.argmax(-1)" if are_one_hot(y) else ""
        raise NotClasses(f"{what}: labels must have the shape (samples,), got {y.shape}{hint}")
    if len(x) != len(y):
        raise ValueError(f"{what}: {len(x)} inputs but {len(y)} labels")
    if y.dtype.kind not in "iu":
        raise NotClasses(f"{what}: labels must be integers, got {y.dtype}")
    check_class_numbers(y, classes, what)


def check_class_numbers(y: np.ndarray, classes: int | None, what: str) -> None:
    """Raise a `ValueError` for labels that are not whole numbers from 0 to `classes - 1`."""
    for wrong, wanted in (
        ((y < 0) | (y >= (classes if classes is not None else np.inf)), _limits(classes)),
        (y != np.floor(y), "whole numbers"),
    ):
        if wrong.any():
            first = tuple(np.argwhere(wrong)[0])
            raise ValueError(f"{what}: labels must be {wanted}, found {y[first]} at row {first[0]}")


def _limits(classes: int | None) -> str:
    return f"from 0 to {classes - 1}" if classes is not None else "at least 0"


def check_inputs(x: np.ndarray, what: str) -> None:
    """Raise a `ValueError` for inputs that no model can be trained on."""
    if x.ndim < 2:
        raise ValueError(f"{what}: inputs must have the shape (samples, ...), got {x.shape}")
    if len(x) == 0:
        raise ValueError(f"{what}: there are no samples")
    if x.size == 0:
        raise ValueError(f"{what}: inputs of shape {x.shape[1:]} hold no values")
    if x.dtype.kind not in "fiub":
        raise ValueError(f"{what}: inputs must be numbers, got {x.dtype}")
    check_finite(x, f"{what}: %d inputs")


def check_finite(array: np.ndarray, what: str) -> None:
    """Raise a `ValueError` that says how many rows (`%d` in `what`) hold NaN or infinity."""
    bad = nonfinite(array).reshape(len(array), -1).any(axis=1)
    if bad.any():
        raise ValueError(f"{what % bad.sum()} hold NaN or infinity, the first at row {bad.argmax()}")


def are_one_hot(y: np.ndarray) -> bool:
    """Whether labels are rows of zeros with a single one."""
    return (
        y.ndim == 2
        and y.dtype.kind in "biuf"
        and bool(((y == 0) | (y == 1)).all() and (y.sum(-1) == 1).all())
    )


def check_labels(x: np.ndarray, y: np.ndarray, what: str) -> np.ndarray:
    """The labels; a `ValueError` if they are not finite numbers, one or several for each sample."""
    if y.dtype.kind not in "biuf":
        raise ValueError(f"{what}: labels must be numbers, got {y.dtype}")
    if y.shape[:1] != x.shape[:1]:
        raise ValueError(f"{what}: {len(x)} inputs but labels of shape {y.shape}")
    check_finite(y, f"{what}: %d labels")
    return y
