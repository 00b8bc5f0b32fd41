"""NaN and infinity in numbers: the one place that checks for them."""

import numpy as np

from keras_kd.tensors import Tensor


def nonfinite(values: Tensor) -> np.ndarray:
    """Where values are NaN or infinite, as booleans of the same shape; all `False` for non-float dtypes.

    Examples:
        >>> nonfinite(np.array([1.0, np.nan])).tolist()
        [False, True]
    """
    # NumPy makes no array of a single bfloat16 of TensorFlow, but TensorFlow does.
    array = np.asarray(values.numpy() if hasattr(values, "numpy") else values)
    if array.dtype.kind not in "fcV":
        return np.zeros(array.shape, bool)
    # "V": bfloat16 and the like, which NumPy itself does not know.
    return ~np.isfinite(array.astype("float64") if array.dtype.kind == "V" else array)


def first_bad_row(values: Tensor) -> int | None:
    """The first row (along the first axis) that contains NaN or infinity, or `None`.

    Examples:
        >>> first_bad_row(np.array([[1.0, 2.0], [3.0, np.inf]]))
        1
    """
    rows = np.argwhere(np.atleast_1d(nonfinite(values)))
    return int(rows[0][0]) if len(rows) else None
