"""Running a user's `teacher_preprocess`, and checking what it does to integers."""

import warnings
from collections.abc import Callable
from typing import Any, TypeAlias

import keras
import numpy as np
import tensorflow as tf

from keras_kd.messages import one_line
from keras_kd.parts import parts
from keras_kd.signals.batches import describe
from keras_kd.tensors import Tensor, Tensors

Preprocess: TypeAlias = Callable[[Any], Any]

_EXACT = 2**24  # up to here, float32 holds every integer
_FEW = 8  # samples
_ROUNDING = 2  # once while resizing, once in arithmetic
_CAST = "tf.cast(x, 'float32')"


class PreprocessingError(ValueError):
    """A user's `teacher_preprocess` raised an exception."""


def preprocess_inputs(preprocess: Preprocess, x: Tensors) -> Tensors:
    """What `teacher_preprocess` makes of the data's `x`.

    It gets its own copy of the structure, so that taking parts out of it takes none from the student.

    Raises:
        PreprocessingError: It raised an exception, and the message names it and what it received; or it
            returns nothing, or a tensor of unknown rank.
    """
    try:
        found = preprocess(keras.tree.map_structure(lambda part: part, x))
    except Exception as error:
        integers = any(map(_is_integer, keras.tree.flatten(x))) and not isinstance(error, LookupError)
        advice = f" If it computes with floats, cast integers first: {_CAST}." if integers else ""
        raise PreprocessingError(
            f"`teacher_preprocess` ({_name(preprocess)}) raised {type(error).__name__}: "
            f"{one_line(error).rstrip('.')}. It received {describe(x)}.{advice}"
        ) from error
    _require_tensors(preprocess, found)
    return found


def _require_tensors(preprocess: Preprocess, found: Tensors) -> None:
    returned = [part for part in keras.tree.flatten(found) if part is not None]
    if not returned:
        raise PreprocessingError(f"`teacher_preprocess` ({_name(preprocess)}) returns no tensor.")
    if any(tf.TensorShape(getattr(part, "shape", ())).rank is None for part in returned):
        raise PreprocessingError(
            f"`teacher_preprocess` ({_name(preprocess)}) returns a tensor with an unknown number of axes, as "
            "after tf.py_function or tf.numpy_function. Return tf.ensure_shape(tensor, (None, ...))."
        )


def check_integers(preprocess: Preprocess | None, x: Tensors) -> None:
    """Warn if `teacher_preprocess` computes in integers what it would compute otherwise in floats.

    Keras's `preprocess_input` subtracts the mean of each channel in the dtype of the image: in uint8, the
    result wraps around. Selecting, cropping or resizing gives the same in any dtype, up to rounding.

    Args:
        preprocess: The function, or `None`.
        x: A first batch.
    """
    given = [part for part in keras.tree.flatten(x) if part is not None]
    if preprocess is None or not any(map(_is_integer, given)) or not all(map(_is_dense, given)):
        return
    few = keras.tree.map_structure(lambda part: None if part is None else part[:_FEW], x)
    as_floats = keras.tree.map_structure(_as_float, few)
    try:
        first, again, wanted = (_numbers(preprocess(inputs)) for inputs in (few, few, as_floats))
    except Exception:  # it takes integers only, such as indices: then there is nothing to compare
        return
    if first.keys() != wanted.keys() or not _are_equal(first, again):
        return  # it goes by the dtype, or draws random numbers
    # Of several, those of an image are the narrowest: the others number its samples or classes.
    dtype = min((tf.as_dtype(part.dtype) for part in given if _is_integer(part)), key=lambda kind: kind.size)
    for path, values in first.items():
        gaps = _gaps(values, wanted[path], dtype)
        if gaps.size and gaps.max() > 0.1 * np.ptp(wanted[path]):
            worst = gaps.argmax()
            _warn(preprocess, dtype, values.flat[worst], wanted[path].flat[worst])
            return


def _gaps(values: np.ndarray, wanted: np.ndarray, dtype: tf.DType) -> np.ndarray:
    """How far integer arithmetic is from what floats give; empty where the difference is meant."""
    if values.shape != wanted.shape:
        return np.zeros(0)
    gaps = np.abs(values - wanted.astype("float64"))
    if values.dtype.kind in "iu":  # a resized image stops at the ends of its dtype
        return np.minimum(gaps, np.abs(values - np.clip(wanted, dtype.min, dtype.max)))
    period = 2.0 ** (8 * dtype.size)
    wrapped = np.abs(gaps - period * np.round(gaps / period)) < _ROUNDING
    return gaps if wrapped.all() else np.zeros(0)  # tf.image.convert_image_dtype scales integers


def _numbers(structure: Tensors) -> dict[str, np.ndarray]:
    tensors = {path: part for path, part in parts(structure).items() if _is_dense(part)}
    floats = {path: np.asarray(tf.cast(t, "float64")) for path, t in tensors.items() if t.dtype.is_floating}
    return floats | {path: np.asarray(t) for path, t in tensors.items() if t.dtype.is_integer}


def _are_equal(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return all(np.array_equal(one[path], other[path], equal_nan=True) for path in one)


def _warn(preprocess: Preprocess, dtype: tf.DType, found: float, wanted: float) -> None:
    warnings.warn(
        f"`teacher_preprocess` ({_name(preprocess)}) computes in {dtype.name}, where numbers "
        f"wrap around or lose their fraction: it gives {found:.6g} where the same data as float32 gives "
        f"{wanted:.6g}, so the teacher sees something else than it was trained on. Cast first: {_CAST}.",
        stacklevel=2,
    )


def _name(preprocess: Preprocess) -> str:
    return str(
        getattr(preprocess, "__qualname__", None) or getattr(preprocess, "name", type(preprocess).__name__)
    )


def _is_dense(part: object) -> bool:
    return isinstance(part, tf.Tensor)


def _is_integer(part: object) -> bool:
    dtype = getattr(part, "dtype", None)
    return dtype is not None and tf.as_dtype(dtype).is_integer


def _as_float(part: Tensor | None) -> Tensor | None:
    if not _is_integer(part) or np.abs(np.asarray(part, "float64")).max(initial=0) > _EXACT:
        return part
    return tf.cast(part, "float32")
