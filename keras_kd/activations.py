"""What produced an output: a softmax, a sigmoid, or a layer without an activation.

For a traced tensor, the operation that produced it tells; for values, their range and sums do.
"""

from typing import Any

import numpy as np
import tensorflow as tf

from keras_kd.tensors import Tensor

_LINEAR = ("BiasAdd", "MatMul", "BatchMatMulV2", "Conv2D", "Einsum")
# How far a probability may lie outside of 0 to 1, as by interpolation.
ROUNDING = 1e-3
_PASSES_VALUES_ON = ("Identity", "Reshape", "Cast", "Squeeze", "ExpandDims", "StopGradient")


def is_linear(tensor: Tensor) -> bool:
    """Whether a traced tensor is the output of a dense layer or a convolution without activation."""
    operation = _maker(tensor)
    if operation is None:
        return False
    adds_bias = operation.type == "AddV2" and any("ReadVariableOp" in t.op.type for t in operation.inputs)
    return adds_bias or operation.type in _LINEAR


def activation_of(tensor: Tensor) -> str | None:
    """`"softmax"` or `"sigmoid"` if a traced tensor is the output of one, else `None`."""
    operation = _maker(tensor)
    return None if operation is None else {"Softmax": "softmax", "Sigmoid": "sigmoid"}.get(operation.type)


def is_gated(tensor: Tensor) -> bool:
    """Whether a traced tensor depends on a sigmoid, with nothing linear and no logarithm in between."""
    waiting: list[Any] = [tensor]
    visited: set[tf.Operation] = set()
    while waiting:
        operation = getattr(waiting.pop(), "op", None)
        if operation is None or operation in visited or operation.type in (*_LINEAR, "Log"):
            continue
        if operation.type == "Sigmoid":
            return True
        visited.add(operation)
        waiting.extend(operation.inputs)
    return False


def _maker(tensor: Tensor) -> tf.Operation | None:
    operation = getattr(tensor, "op", None)
    while operation is not None and operation.type in _PASSES_VALUES_ON:
        operation = operation.inputs[0].op
    return operation


def activation_in(values: Tensor) -> str | None:
    """`"softmax"` or `"sigmoid"` if a batch of values looks like the output of one, else `None`.

    Examples:
        >>> activation_in(np.array([[0.25, 0.75]])), activation_in(np.array([[0.5, 0.75]]))
        ('softmax', 'sigmoid')
    """
    array = np.asarray(values, "float64")
    if is_distribution(array):
        return "softmax"
    return "sigmoid" if in_unit_range(array) else None


def in_unit_range(values: Tensor) -> bool:
    """Whether all values lie between 0 and 1, as probabilities do, up to rounding.

    Examples:
        >>> in_unit_range(np.array([0.0, 1.0000001])), in_unit_range(np.array([0.5, 1.5]))
        (True, False)
    """
    array = np.asarray(values)
    return not array.size or bool(float(array.min()) >= -ROUNDING and float(array.max()) <= 1 + ROUNDING)


def is_distribution(values: np.ndarray) -> bool:
    """Whether values are probabilities of two or more classes, along their last axis."""
    if values.ndim < 2 or values.shape[-1] < 2 or (values < 0).any():
        return False
    return bool(np.allclose(values.sum(-1), 1, atol=1e-2))
