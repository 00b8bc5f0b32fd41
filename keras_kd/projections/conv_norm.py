"""A projection with BatchNorm: a convolution, BatchNorm and, optionally, ReLU."""

from typing import Any

import keras
from keras import ops

from keras_kd.losses.arguments import check_integer
from keras_kd.losses.inputs import Mask
from keras_kd.projections.blocks import batch_normalization, convolution_or_dense, without_padding
from keras_kd.projections.projection import READS_ONE_SIGNAL, Projection
from keras_kd.tensors import Shape, Tensor


@keras.saving.register_keras_serializable("keras_kd")
class ConvNorm(Projection):
    """A convolution and BatchNorm, with or without ReLU.

    `ConvNorm()` is the student's connector in the overhaul of feature distillation (OFD).
    `ConvNorm(activation="relu")` is FitNets' regressor, as in RepDistiller and mdistiller for maps
    of the same size. They halve a map of twice the size by a strided 3x3 convolution; here, maps
    keep their size, and the loss pools the larger one.

    Source: Heo et al. 2019, "A Comprehensive Overhaul of Feature Distillation", arXiv 1904.01866;
    Romero et al. 2015, "FitNets: Hints for Thin Deep Nets", arXiv 1412.6550.

    Args:
        units: The width of the result. `None`: the teacher's.
        kernel_size: Size of the convolution. 1 is a dense layer over the channels.
        activation: `None` or `"relu"`. Use `None` if the teacher's signal may be negative.
        **kwargs: As for `Projection`.

    Shapes:
        Student: `(batch, ...positions, width)`, of the teacher's rank. Result: the same with
        `units` channels. Padded tokens are ignored by both the convolution and the statistics.

    Raises:
        ValueError: Ranks that differ, an unknown width, a kernel size above 1 for vectors.

    Examples:
        >>> import numpy as np
        >>> import keras_kd as kd
        >>> layer = kd.projections.ConvNorm(units=48, kernel_size=3, activation="relu")
        >>> tuple(layer(np.ones((2, 4, 4, 16))).shape)
        (2, 4, 4, 48)
    """

    def __init__(
        self, units: int | None = None, kernel_size: int = 1, activation: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(units, **kwargs)
        self.kernel_size = check_integer("kernel_size", kernel_size)
        if activation not in (None, "relu"):
            raise ValueError(f"`activation` must be None or 'relu'. Received: {activation!r}.")
        self.activation = activation

    def build(self, input_shape: Shape) -> None:
        ranks = (2, 3, 4, 5) if self.kernel_size == 1 else (3, 4, 5)
        shape = self.require(
            input_shape, ranks, READS_ONE_SIGNAL if 2 in ranks else "tokens, maps or volumes"
        )
        units = self.width_of(0)
        self.convolution = convolution_or_dense(
            len(shape), units, self.kernel_size, use_bias=False, dtype=self.dtype_policy
        )
        self.convolution.build(shape)
        self.norm = batch_normalization(self.dtype_policy)
        self.norm.build((*shape[:-1], units))

    def call(self, signal: Tensor, training: bool | None = None, mask: Mask = None) -> Tensor:
        if self.kernel_size > 1:
            signal = without_padding(signal, mask)
        result = self.norm(self.convolution(signal), training=training, mask=mask)
        return ops.relu(result) if self.activation else result
