"""Type aliases for what flows through models, so that signatures say what they take.

`Tensor` stands for a tensor of the current backend, a symbolic Keras tensor or an array, and `Tensors` for
a structure of them as well, as Keras's own models take and return.
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
Scheduled: TypeAlias = float | Callable[[Any], Any]  # a number, or a function of the training step
