"""NaN and infinity in numbers: the one place that checks for them."""

import numpy as np

from keras_kd.tensors import Tensor


class NotFinite(ValueError):
    """Numbers that have to be finite are NaN or infinite.

    Args:
        message: What they are of.
        row: The first of the rows that hold one, if it is known.
    """

    def __init__(self, message: str, row: int | None = None) -> None:
        super().__init__(message)
        self.row = row


def nonfinite(values: Tensor, *, may_suppress: bool = False) -> np.ndarray:
    """Where values are NaN or infinite, as booleans of the same shape; all `False` for non-float dtypes.

    Args:
        values: An array or a tensor.
        may_suppress: Whether minus infinity is accepted, the logit of a class that is suppressed.

    Examples:
        >>> nonfinite(np.array([1.0, np.nan])).tolist()
        [False, True]
    """
    # NumPy makes no array of a single bfloat16 of TensorFlow, but TensorFlow does.
    array = np.asarray(values.numpy() if hasattr(values, "numpy") else values)
    if array.dtype.kind not in "fcV":
        return np.zeros(array.shape, bool)
    # "V": bfloat16 and the like, which NumPy itself does not know.
    array = array.astype("float64") if array.dtype.kind == "V" else array
    return ~(np.isfinite(array) | np.isneginf(array)) if may_suppress else ~np.isfinite(array)


def first_bad_row(values: Tensor, *, may_suppress: bool = False) -> int | None:
    """The first row (along the first axis) that contains NaN or infinity, or `None`.

    Examples:
        >>> first_bad_row(np.array([[1.0, 2.0], [3.0, np.inf]]))
        1
    """
    rows = np.argwhere(np.atleast_1d(nonfinite(values, may_suppress=may_suppress)))
    return int(rows[0][0]) if len(rows) else None
