"""The projection of `project=True`: one linear map of the channels."""

from typing import Any

import keras
from keras import layers

from keras_kd.losses.inputs import Signal
from keras_kd.projections.projection import Projection
from keras_kd.projections.shapes import Shapes, shapes_of

_READS = "vectors (batch, width), tokens, maps or volumes (batch, ...positions, width)"


@keras.saving.register_keras_serializable("keras_kd")
class Linear(Projection):
    """One linear map of the channels: a dense layer for vectors, a 1x1 convolution for all other signals.

    The two are the same operation. It is computed as a dense layer over the last axis, which on a CPU
    is at least as fast as Keras's 1x1 convolution. `project=True` creates this layer.

    Source: Romero et al. 2015, "FitNets: Hints for Thin Deep Nets", arXiv 1412.6550, whose regressor
    is a convolution; for tokens Jiao et al. 2020, "TinyBERT", arXiv 1909.10351.

    Args:
        units: The width of the result. `None`: the teacher's.
        use_bias: Whether to add a bias.
        **kwargs: As for `Projection`.

    Shapes:
        Student: `(batch, ...positions, width)`, of the teacher's rank; or a tuple of such signals,
        each of which gets its own map. Result: the same with `units` channels.

    Raises:
        ValueError: Ranks that differ, an unknown width.

    Examples:
        >>> import numpy as np
        >>> import keras_kd as kd
        >>> layer = kd.projections.Linear()
        >>> layer.size_for((None, 4, 4, 48))
        >>> tuple(layer(np.ones((2, 4, 4, 16))).shape)
        (2, 4, 4, 48)
        >>> kd.Objective("mse", student="stage2", teacher="stage2", project=layer).name
        'mse_stage2'
    """

    def __init__(self, units: int | None = None, use_bias: bool = True, **kwargs: Any) -> None:
        super().__init__(units, **kwargs)
        self.use_bias = bool(use_bias)

    def build(self, input_shape: Shapes) -> None:
        self.maps = []
        for part, shape in enumerate(shapes_of(input_shape)):
            shape = self.require(shape, (2, 3, 4, 5), _READS, part)
            dense = layers.Dense(self.width_of(part), use_bias=self.use_bias, dtype=self.dtype_policy)
            dense.build(shape)
            self.maps.append(dense)

    def call(self, signals: Signal) -> Signal:
        if not isinstance(signals, (tuple, list)):
            return self.maps[0](signals)
        return tuple(dense(signal) for dense, signal in zip(self.maps, signals, strict=True))
