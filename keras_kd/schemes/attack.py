"""Projected gradient descent: inputs moved, within a small box, to where a loss is large."""

import math
from collections.abc import Callable

import tensorflow as tf

from keras_kd.tensors import Tensor


class Attack:
    """The box around an input that an attack searches, and how.

    Args:
        epsilon: Half the side of the box, in the unit of the data.
        step_size: How far each step moves every value.
        steps: How many steps there are.
        value_range: The lowest and the highest value of the data, which no attack leaves.

    Raises:
        ValueError: A box or a range that is none.
    """

    def __init__(
        self, epsilon: float, step_size: float, steps: int, value_range: tuple[float, float]
    ) -> None:
        low, high = map(float, value_range)
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise ValueError(
                f"`value_range` is the lowest and the highest value of the data. Received: {value_range!r}."
            )
        self.epsilon, self.step_size = float(epsilon), float(step_size)
        for name, size in (("epsilon", self.epsilon), ("step_size", self.step_size)):
            if not 0 < size <= high - low:
                raise ValueError(
                    f"`{name}` is above 0 and at most the width of value_range, {high - low:g}. Received: "
                    f"{size!r}. Data from 0 to 255 takes value_range=(0, 255) and epsilon=8 instead of 8/255."
                )
        if isinstance(steps, bool) or int(steps) != steps or steps < 1:
            raise ValueError(f"`steps` is a whole number of at least 1. Received: {steps!r}.")
        self.steps, self.value_range = int(steps), (low, high)

    def check(self, inputs: Tensor) -> None:
        """Raise a `ValueError` for data outside the range, or that is no tensor of floating-point numbers."""
        if not isinstance(inputs, tf.Tensor) or not inputs.dtype.is_floating:
            raise ValueError(
                "An attack moves inputs that are one tensor of floating-point numbers. Received: "
                f"{getattr(inputs, 'dtype', type(inputs).__name__)}. Cast and scale in the data, and embed "
                "tokens before the model."
            )
        low, high = self.value_range
        least, most = float(tf.reduce_min(inputs)), float(tf.reduce_max(inputs))
        if least < low or most > high:
            raise ValueError(
                f"The data reaches from {least:.4g} to {most:.4g}, and value_range says {low:g} to {high:g}: "
                f"attacks would clip it. Scale the data, or pass value_range=({least:.4g}, {most:.4g})."
            )

    def perturb(self, inputs: Tensor, start: Tensor, loss: Callable[[Tensor], Tensor]) -> Tensor:
        """Inputs near the given ones that make a loss large.

        Args:
            inputs: `(batch, ...)`, the center of the box.
            start: Where the search starts; what lies outside the box is moved into it.
            loss: Takes inputs, and returns the sum over the batch.
        """
        _, found = tf.while_loop(
            lambda step, moved: step < self.steps,
            lambda step, moved: (step + 1, self._step(inputs, moved, loss)),
            (tf.constant(0), self._clip(inputs, start)),
            maximum_iterations=self.steps,
        )
        return tf.stop_gradient(found)

    def _step(self, inputs: Tensor, moved: Tensor, loss: Callable[[Tensor], Tensor]) -> Tensor:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(moved)
            value = loss(moved)
        return self._clip(inputs, moved + self.step_size * tf.sign(tape.gradient(value, moved)))

    def _clip(self, inputs: Tensor, moved: Tensor) -> Tensor:
        boxed = tf.clip_by_value(moved, inputs - self.epsilon, inputs + self.epsilon)
        return tf.clip_by_value(boxed, *self.value_range)
