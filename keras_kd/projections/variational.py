"""VID's projection: the mean and variance of the teacher's features, predicted from the student's."""

import math
from typing import Any

import keras
from keras import ops

from keras_kd.losses.arguments import check_integer
from keras_kd.losses.pooling import pool_larger_axes
from keras_kd.projections.blocks import dense_stack
from keras_kd.projections.projection import READS_ONE_SIGNAL, Projection
from keras_kd.tensors import Shape, Tensor

_TINY = 1e-5  # what RepDistiller adds to the variance


@keras.saving.register_keras_serializable("keras_kd")
class VariationalHead(Projection):
    """The teacher's feature as predicted by the student: a mean per element, a variance per channel.

    The mean comes from a stack of 1x1 convolutions with ReLU between them; the variance is
    `softplus(alpha) + 1e-5` with one trained `alpha` per channel. Use it with
    `kd.losses.VariationalInformation`. A student's map that is larger than the teacher's is
    average-pooled first, as in RepDistiller; if it is smaller, the loss pools the teacher's.

    Source: Ahn, Hu, Damianou, Lawrence, Dai 2019, "Variational Information Distillation for
    Knowledge Transfer", arXiv 1904.05835. Depth, widths, the lack of biases and the initial variance
    are those of RepDistiller, which names the authors' code as its source.

    Args:
        units: The number of the teacher's channels. `None`: taken from the teacher.
        layers: The number of linear maps, 1 to 3.
        initial_variance: The initial value of the variance.
        **kwargs: As for `Projection`.

    Shapes:
        Student: `(batch, ...positions, width)`, of the teacher's rank. Result: a tuple of the
        mean, `(batch, ...positions, units)`, and the variance, `(units,)`.

    Raises:
        ValueError: Ranks that differ, an unknown width, an initial variance that is too small.

    Examples:
        >>> import numpy as np
        >>> import keras_kd as kd
        >>> mean, variance = kd.projections.VariationalHead(units=3)(np.ones((2, 4, 4, 8)))
        >>> tuple(mean.shape), variance.numpy().round(4).tolist()
        ((2, 4, 4, 3), [5.0, 5.0, 5.0])
    """

    def __init__(
        self, units: int | None = None, layers: int = 3, initial_variance: float = 5.0, **kwargs: Any
    ) -> None:
        super().__init__(units, **kwargs)
        self.depth = check_integer("layers", layers)
        if self.depth > 3:
            raise ValueError(f"`layers` must be 1, 2 or 3. Received: {layers!r}.")
        if not 2 * _TINY <= initial_variance < float("inf"):
            raise ValueError(
                f"`initial_variance` must be a number of at least {2 * _TINY}. "
                f"Received: {initial_variance!r}."
            )
        self.initial_variance = float(initial_variance)

    def build(self, input_shape: Shape) -> None:
        shape = self.require(input_shape, (2, 3, 4, 5), READS_ONE_SIGNAL)
        units = self.width_of(0)
        self.maps = dense_stack(shape, [units] * self.depth, False, self.dtype_policy)
        above = self.initial_variance - _TINY
        # the inverse of softplus, in a form that does not overflow
        alpha = above + math.log(-math.expm1(-above))
        self.alpha = self.add_weight(
            shape=(units,), initializer=keras.initializers.Constant(alpha), name="alpha"
        )

    def call(self, signal: Tensor) -> tuple[Tensor, Tensor]:
        teacher = self.shape_of(0)
        mean = signal if teacher is None else pool_larger_axes(signal, teacher[1:-1])
        for dense in self.maps:
            mean = dense(mean)
        return mean, ops.softplus(self.alpha) + _TINY

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "layers": self.depth}
