"""Names for what flows through models, so that signatures say what they take.

A signature of this package says `Tensor` for a tensor of the running backend, a symbolic one of Keras or an
array, and `Tensors` where it may be a structure of them, as Keras's own models take and return.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import keras
import numpy as np
import tensorflow as tf

Tensor: TypeAlias = tf.Tensor | keras.KerasTensor | np.ndarray
Tensors: TypeAlias = Tensor | list[Any] | tuple[Any, ...] | dict[str, Any] | None
TensorSpec: TypeAlias = tf.TensorSpec | keras.KerasTensor
TensorSpecs: TypeAlias = TensorSpec | list[Any] | tuple[Any, ...] | dict[str, Any] | None
Shape: TypeAlias = tuple[int | None, ...]
Number: TypeAlias = float | Tensor
Scheduled: TypeAlias = float | Callable[[Any], Any]  # a number, or what is one at a training step
