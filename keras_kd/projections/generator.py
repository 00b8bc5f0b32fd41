"""MGD's projection: the teacher's whole feature, generated from the student's masked one."""

from typing import Any

import keras
from keras import layers, ops

from keras_kd.losses.inputs import Mask
from keras_kd.projections.blocks import convolution, without_padding
from keras_kd.projections.projection import Projection
from keras_kd.tensors import Shape, Tensor


@keras.saving.register_keras_serializable("keras_kd")
class MaskedGenerator(Projection):
    """Sets random positions or channels of the student's map to zero; a small network fills them in.

    If the widths differ, a 1x1 convolution first projects the student to the teacher's. Then comes the
    mask (only in training, and new for every batch), a 3x3 convolution, ReLU and a 3x3 convolution.
    The values that are kept are not scaled up, as in the authors' code.

    Use it with `"mse"` or `kd.losses.MaskedGeneration`.

    Source: Yang, Li, Shao, Shi, Yuan, Yuan 2022, "Masked Generative Distillation", arXiv
    2205.01529. Their code masks channels for classification (`mask="channels"`, `ratio=0.15`) and
    positions for detection (0.65, mmrazor's default) and segmentation (0.75).

    Args:
        units: The width of the result. `None`: the teacher's.
        ratio: The fraction that is set to zero, on average, at least 0 and below 1.
        mask: `"positions"`: all channels at random positions. `"channels"`: random channels at
            all positions.
        seed: Random seed of the masks.
        **kwargs: As for `Projection`.

    Shapes:
        Student: tokens, maps or volumes `(batch, ...positions, width)`, of the teacher's rank.
        Result: the same with `units` channels.

    Raises:
        ValueError: Vectors, ranks that differ, an unknown width, a ratio out of range.

    Examples:
        >>> import numpy as np
        >>> import keras_kd as kd
        >>> layer = kd.projections.MaskedGenerator(units=48, ratio=0.5, seed=1)
        >>> tuple(layer(np.ones((2, 4, 4, 16)), training=True).shape)
        (2, 4, 4, 48)
    """

    def __init__(
        self,
        units: int | None = None,
        ratio: float = 0.65,
        mask: str = "positions",
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(units, **kwargs)
        if not 0 <= ratio < 1:
            raise ValueError(
                f"`ratio` is the fraction set to zero, at least 0 and below 1. Received: {ratio!r}."
            )
        if mask not in ("positions", "channels"):
            raise ValueError(f"`mask` must be 'positions' or 'channels'. Received: {mask!r}.")
        self.ratio = float(ratio)
        self.mask = mask
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, input_shape: Shape) -> None:
        shape = self.require(input_shape, (3, 4, 5), "tokens, maps or volumes (batch, ...positions, width)")
        units = self.width_of(0)
        self.align = None
        if shape[-1] != units:
            self.align = layers.Dense(units, dtype=self.dtype_policy)
            self.align.build(shape)
        self.generation = [
            convolution(len(shape), units, 3, activation="relu", dtype=self.dtype_policy),
            convolution(len(shape), units, 3, dtype=self.dtype_policy),
        ]
        for layer in self.generation:
            layer.build((*shape[:-1], units))

    def call(self, signal: Tensor, training: bool | None = None, mask: Mask = None) -> Tensor:
        if self.align is not None:
            signal = self.align(signal)
        if training:
            signal = signal * self._random_mask(signal)
        for layer in self.generation:
            signal = layer(without_padding(signal, mask))
        return signal

    def _random_mask(self, signal: Tensor) -> Tensor:
        shape = ops.shape(signal)
        everywhere = (1,) * (len(shape) - 2)
        one = (*shape[:-1], 1) if self.mask == "positions" else (shape[0], *everywhere, shape[-1])
        random = keras.random.uniform(one, seed=self.seed_generator, dtype="float32")
        return ops.cast(random >= self.ratio, signal.dtype)
