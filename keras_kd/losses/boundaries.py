"""A loss that reads maps before the ReLU: which neurons the teacher activates.

Tap the BatchNormalization in front of the ReLU, or the layer that adds the branches of a block. Where
the spatial sizes of two maps differ, the larger map is average-pooled to the smaller one
(`pooling.match_maps`).
"""

from typing import Any

import keras
from keras import ops

from keras_kd.losses.arguments import check_positive
from keras_kd.losses.inputs import Mask, PositionWeight
from keras_kd.losses.loss import SignalLoss
from keras_kd.losses.pooling import match_maps
from keras_kd.losses.samples import require_same_shape, sum_per_sample
from keras_kd.tensors import Tensor


@keras.saving.register_keras_serializable("keras_kd")
class ActivationBoundary(SignalLoss):
    """One-sided squared error that pulls each neuron of the student to the teacher's side of zero.

    Only the sign of the teacher's value matters. Where the teacher's neuron is active, the student's
    value is pulled above `margin`; where it is inactive, below `-margin`. So the loss is not zero when
    the student equals the teacher, but when the student is beyond the margin everywhere.

    Formula: `sum_i max(0, margin - y_i s_i)^2` with `y_i = 1` where `t_i > 0` and `-1` elsewhere.

    Reads: one map each before the ReLU, with the same number of channels.
    `kd.Objective("activation_boundary", student="stage2_bn", teacher="block4_bn",
    project=kd.projections.ConvNorm())`.

    Defaults: margin 1, as in the authors' code, which first trains on this loss alone. It halves the
    weight from each stage to the one before it, and multiplies by 3/1000 for CIFAR-10.

    Equals: the sum over elements divided by the batch size, as in the authors' code. Multiply by 3/1000
    for mmrazor's `ABLoss`, and also by the stage's weight for RepDistiller's.

    Source: Heo, Lee, Yun, Choi 2019, "Knowledge Transfer via Distillation of Activation Boundaries
    Formed by Hidden Neurons", arXiv 1811.03233.

    Args:
        margin: How far from zero the student's value must be, above 0.

    Shapes:
        teacher, student: the same shape, `(batch, ...)`, after pooling maps to the smaller spatial size.
        Result: `(batch,)`.

    Examples:
        >>> import numpy as np
        >>> import keras_kd as kd
        >>> teacher, student = np.array([[0.2, -7.0]]), np.array([[2.0, -0.5]])
        >>> float(kd.losses.ActivationBoundary()(teacher, student))
        0.25
    """

    def __init__(self, margin: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.margin = check_positive("margin", margin)

    def call(
        self, teacher: Tensor, student: Tensor, mask: Mask = None, position_weight: PositionWeight = None
    ) -> Tensor:
        teacher, student = match_maps(ops.stop_gradient(teacher), student, mask)
        require_same_shape(self, teacher, student)
        missing = ops.relu(self.margin - ops.where(teacher > 0, student, -student))
        return sum_per_sample(ops.square(missing), mask, position_weight)
