"""Named inputs and outputs, and the check of a user's arrays against them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from keras_kd.messages import did_you_mean
from keras_kd.results import Result
from keras_kd.tensors import Shape, Tensor


@dataclass(frozen=True)
class TensorDetails(Result):
    """One input or output of a model or file.

    Args:
        name: its name in the signature.
        shape: with the batch axis first; `None` is a dynamic axis.
        dtype: NumPy's name of the type, such as `"float32"` or `"int8"`.
        scale: real value of one integer step; 0 if the tensor is not quantized.
        zero_point: the integer that stands for the real value 0.
        index: its place among the inputs, or outputs, of the file.
    """

    name: str
    shape: Shape
    dtype: str
    scale: float = 0.0
    zero_point: int = 0
    index: int = 0

    @property
    def value_dtype(self) -> str:
        """The type of its values once dequantized."""
        return "float32" if self.scale else self.dtype

    def __str__(self) -> str:
        shape = ", ".join("?" if size is None else str(size) for size in self.shape)
        scaled = f" scale {self.scale:.4g} zero {self.zero_point}" if self.scale else ""
        return f"{self.name} ({shape}) {self.dtype}{scaled}"


# The inputs of a model in the structure in which it takes them.
TensorDetailsStructure: TypeAlias = TensorDetails | list[Any] | tuple[Any, ...] | dict[str, Any]


def unknown_name(name: str, known: list[str]) -> str:
    """The message for an unknown name: the known names, and which one may have been meant."""
    return f"Unknown name {name!r}; expected one of {known}.{did_you_mean(name, known)}"


def checked_arrays(data: dict[str, Tensor], tensors: tuple[TensorDetails, ...]) -> dict[str, np.ndarray]:
    """Convert inputs by name to arrays and check them against `tensors`.

    Args:
        data: one array per tensor, by name.
        tensors: the expected inputs.

    Returns:
        One array per tensor, all with the same number of rows. Integers passed for a float input are
        cast, and so are floats without a fractional part passed for an integer input.

    Raises:
        ValueError: for wrong shapes, or different numbers of rows.
        TypeError: for a type that does not fit.
    """
    arrays = {tensor.name: _checked(data[tensor.name], tensor) for tensor in tensors}
    rows = {name: len(array) for name, array in arrays.items()}
    if len(set(rows.values())) > 1:
        raise ValueError(f"All inputs need the same number of rows; received {rows}.")
    return arrays


def _checked(value: Tensor, tensor: TensorDetails) -> np.ndarray:
    try:
        array = np.asarray(value)
    except ValueError:
        if not isinstance(value, (list, tuple)):
            raise
        raise ValueError(
            f"Input {tensor.name!r} needs one array; received a {type(value).__name__} of {len(value)} parts "
            "of several shapes. Inputs with labels are tuples (x, y), and rows need one length."
        ) from None
    _check_dtype(array, tensor)
    wanted = tensor.shape[1:]
    if array.ndim != len(tensor.shape) or not fits(array.shape[1:], wanted):
        expected = ("rows", *("any" if size is None else size for size in wanted))
        expected_text = "(" + ", ".join(map(str, expected)) + ")"
        raise ValueError(
            f"Input {tensor.name!r} needs shape {expected_text}; received shape {array.shape}."
            f"{_hint(array.shape, wanted)}"
        )
    return array if tensor.scale else array.astype(tensor.dtype, copy=False)


def fits(shape: tuple[int, ...], wanted: Shape) -> bool:
    """Whether a shape is another one, in which `None` is any size."""
    return len(shape) == len(wanted) and all(
        want in (None, size) for size, want in zip(shape, wanted, strict=True)
    )


def _hint(shape: tuple[int, ...], wanted: Shape) -> str:
    """How data of this shape becomes samples of the wanted one, if that is plain."""
    if fits(shape, wanted):
        return " Add a batch axis: x[None]."
    if wanted[-1:] == (1,) and fits(shape[1:], wanted[:-1]):
        return " Add a channel axis: x[..., None]."
    if shape[-1:] == (1,) and fits(shape[1:-1], wanted):
        return " Leave out the last axis: x[..., 0]."
    if len(shape) > 2 and fits((*shape[2:], shape[1]), wanted):
        return " Move the channels to the end: np.moveaxis(x, 1, -1)."
    if fits(shape[2:], wanted):
        return " It is batched twice: leave out one batch()."
    return ""


def _check_dtype(array: np.ndarray, tensor: TensorDetails) -> None:
    # bfloat16 and similar types come from ml_dtypes; their kind is "V".
    if array.dtype.kind not in "biufV" or array.dtype.names:
        raise TypeError(f"Input {tensor.name!r} needs numbers ({tensor.dtype}); received {array.dtype}.")
    wants_integers = np.dtype(tensor.dtype).kind in "biu" and not tensor.scale
    if not wants_integers or array.dtype.kind in "biu" or array.size == 0:
        return
    if not np.array_equal(array, np.floor(array)):
        raise TypeError(f"Input {tensor.name!r} takes {tensor.dtype}; received {array.dtype} with fractions.")
