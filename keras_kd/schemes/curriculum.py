"""A temperature that is learned against the student, harder and harder."""

import math
from typing import Any

import keras
from keras import ops

from keras_kd.tensors import Number, Tensor


@keras.saving.register_keras_serializable("keras_kd")
class CurriculumTemperature(keras.layers.Layer):
    """A learned temperature for any loss that takes a schedule: it moves to where the loss is large.

    One number `v` is trained with the reversed gradient, times a strength that grows from 0 to 1 over
    `steps`: soft targets begin easy and become harder. The student sees the same loss with that temperature.
    Give it in place of a number: `kd.losses.SoftTargets(kd.CurriculumTemperature(1000))`, or
    `kd.Distiller(..., temperature=...)`. Objectives train it along with projections.

    Formula: `T = low + width * sigmoid(v)`, with `v` 1 at first; its gradient is multiplied by
    `-(1 - cos(pi * min(step / steps, 1))) / 2`.

    Source: Li et al. 2023, "Curriculum Temperature for Knowledge Distillation", arXiv 2211.16231: its global
    temperature, with the strength that grows over the first 10 epochs, `low` 1 and `width` 20.

    Args:
        steps: Training steps until the gradient is reversed in full: there, those of 10 epochs.
        low: The lowest temperature.
        width: How far the highest lies above it.

    Raises:
        ValueError: No steps, or temperatures that are not above 0.

    Examples:
        >>> import keras_kd as kd
        >>> round(float(kd.CurriculumTemperature(1000)(0)), 2)
        15.62
    """

    def __init__(self, steps: int, low: float = 1.0, width: float = 20.0, **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        if not (steps >= 1 and low > 0 and width >= 0):
            raise ValueError(
                "A curriculum takes 1 step or more, and temperatures above 0: low > 0 and width >= 0. "
                f"Received: steps={steps!r}, low={low!r}, width={width!r}."
            )
        self.steps, self.low, self.width = int(steps), float(low), float(width)
        self.value = self.add_weight(shape=(), initializer="ones", name="value")
        self.built = True

    def __call__(self, step: Tensor | int) -> Number:
        return super().__call__(ops.convert_to_tensor(step))  # Keras takes tensors only

    def call(self, step: Tensor) -> Number:
        done = ops.minimum(ops.cast(step, "float32") / self.steps, 1.0)
        strength = (1 - ops.cos(math.pi * done)) / 2
        value = ops.convert_to_tensor(self.value)
        reversed_value = (1 + strength) * ops.stop_gradient(value) - strength * value
        return self.low + self.width * ops.sigmoid(reversed_value)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "steps": self.steps, "low": self.low, "width": self.width}
