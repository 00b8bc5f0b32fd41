"""SimKD's projector: the student imitates the teacher's last map."""

from typing import Any

import keras
from keras import ops

from keras_kd.losses.arguments import check_integer
from keras_kd.losses.pooling import pool_larger_axes
from keras_kd.projections.blocks import batch_normalization, convolution
from keras_kd.projections.projection import Projection
from keras_kd.tensors import Shape, Tensor


@keras.saving.register_keras_serializable("keras_kd")
class SimKDProjector(Projection):
    """SimKD's projector: convolutions of size 1, 3 and 1, each with BatchNorm and ReLU.

    The inner two are `reduction` times narrower than the teacher. A student's map that is larger
    than the teacher's is average-pooled first. A smaller one keeps its size, as in the authors'
    code: the loss pools the teacher's. The result is non-negative, like the teacher's map after its
    last ReLU.

    Unlike other projections, this one stays in the deployed model; see `reuse_classifier`.

    Source: Chen, Mei, Zhang, Wang, Feng, Chen 2022, "Knowledge Distillation with the Reused Teacher
    Classifier", arXiv 2203.14001; the layers are those of the authors' code.

    Args:
        units: The width of the result. `None`: the teacher's.
        reduction: How many times narrower the inner convolutions are; 2 in the authors' code.
        **kwargs: As for `Projection`.

    Shapes:
        Student: sequences, maps or volumes `(batch, ...positions, width)`, of the teacher's rank.
        Result: `(batch, ...positions, units)`, with positions pooled to the teacher's.

    Raises:
        ValueError: Vectors, ranks that differ, an unknown width.

    Examples:
        >>> import numpy as np
        >>> import keras_kd as kd
        >>> layer = kd.projections.SimKDProjector()
        >>> layer.size_for((None, 4, 4, 64))
        >>> tuple(layer(np.ones((2, 8, 8, 16))).shape)
        (2, 4, 4, 64)
    """

    def __init__(self, units: int | None = None, reduction: int = 2, **kwargs: Any) -> None:
        super().__init__(units, **kwargs)
        self.reduction = check_integer("reduction", reduction)

    def build(self, input_shape: Shape) -> None:
        shape = self.require(
            input_shape, (3, 4, 5), "sequences, maps or volumes (batch, ...positions, width)"
        )
        units = self.width_of(0)
        inner = max(units // self.reduction, 1)
        self.convolutions, self.norms = [], []
        # Not dense layers: this one is deployed, and converters support convolutions best.
        for width, kernel in ((inner, 1), (inner, 3), (units, 1)):
            layer = convolution(len(shape), width, kernel, use_bias=False, dtype=self.dtype_policy)
            layer.build(shape)
            shape = (*shape[:-1], width)
            norm = batch_normalization(self.dtype_policy)
            norm.build(shape)
            self.convolutions.append(layer)
            self.norms.append(norm)

    def call(self, signal: Tensor, training: bool | None = None) -> Tensor:
        teacher = self.shape_of(0)
        signal = signal if teacher is None else pool_larger_axes(signal, teacher[1:-1])
        for layer, norm in zip(self.convolutions, self.norms, strict=True):
            signal = ops.relu(norm(layer(signal), training=training))
        return signal
