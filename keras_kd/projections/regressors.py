"""A projection with hidden layers: two or three linear maps with ReLU between them."""

from typing import Any

import keras

from keras_kd.losses.arguments import check_integer
from keras_kd.projections.blocks import dense_stack
from keras_kd.projections.projection import READS_ONE_SIGNAL, Projection
from keras_kd.tensors import Shape, Tensor


@keras.saving.register_keras_serializable("keras_kd")
class Regressor(Projection):
    """Two or three linear maps with ReLU between them, the same at every position.

    For vectors and tokens this is an MLP; for maps it is a stack of 1x1 convolutions, which is the same.

    Source: Ahn et al. 2019, "Variational Information Distillation for Knowledge Transfer", arXiv
    1904.05835 (three maps, as wide as the teacher, without biases in RepDistiller, which names
    the authors' code as its source); Tian et al. 2020, "Contrastive Representation Distillation",
    arXiv 1910.10699 (one map, `Linear(128)`, in the authors' code, which also has a two-layer head,
    `Regressor(128, hidden=256)`).

    Args:
        units: The width of the result. `None`: the teacher's.
        layers: The number of linear maps, 2 or 3.
        hidden: The width between them. `None`: that of the result.
        use_bias: Whether they have biases.
        **kwargs: As for `Projection`.

    Shapes:
        Student: `(batch, ...positions, width)`, of the teacher's rank. Result: the same with
        `units` channels.

    Raises:
        ValueError: Ranks that differ, an unknown width, a different number of layers.

    Examples:
        >>> import numpy as np
        >>> import keras_kd as kd
        >>> layer = kd.projections.Regressor(units=128, layers=2, hidden=64)
        >>> tuple(layer(np.ones((2, 24))).shape)
        (2, 128)
    """

    def __init__(
        self,
        units: int | None = None,
        layers: int = 2,
        hidden: int | None = None,
        use_bias: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(units, **kwargs)
        if layers not in (2, 3):
            raise ValueError(f"`layers` must be 2 or 3. Received: {layers!r}. For one, use Linear.")
        self.depth = int(layers)  # Keras reads `layer.layers` as sublayers
        self.hidden = None if hidden is None else check_integer("hidden", hidden)
        self.use_bias = bool(use_bias)

    def build(self, input_shape: Shape) -> None:
        shape = self.require(input_shape, (2, 3, 4, 5), READS_ONE_SIGNAL)
        units = self.width_of(0)
        widths = [self.hidden or units] * (self.depth - 1) + [units]
        self.maps = dense_stack(shape, widths, self.use_bias, self.dtype_policy)

    def call(self, signal: Tensor) -> Tensor:
        for dense in self.maps:
            signal = dense(signal)
        return signal

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "layers": self.depth}
