"""What a Distiller computes on one batch."""

from typing import NamedTuple

from keras_kd.tensors import Tensor, Tensors


class Distilled(NamedTuple):
    """What `Distiller.compute_objectives` returns about one batch.

    Attributes:
        outputs: The student's outputs, computed with `training=True`.
        loss: The sum of weight times objective.
        values: `{name: value}`, the unweighted values of the objectives.

    Examples:
        >>> import keras, numpy as np
        >>> import keras_kd as kd
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
        >>> copy = keras.models.clone_model(model)
        >>> copy.set_weights(model.get_weights())
        >>> outputs, loss, values = kd.Distiller(model, copy).compute_objectives(np.ones((8, 4), "float32"))
        >>> outputs.shape, f"{abs(float(loss)):.3f}", list(values)
        (TensorShape([8, 3]), '0.000', ['soft_targets'])
    """

    outputs: Tensors
    loss: Tensor
    values: dict[str, Tensor]


class Kept:
    """A tracker that keeps the value of one step."""

    value: Tensor

    def update_state(self, value: Tensor, sample_weight: Tensor | None = None) -> None:
        self.value = value
