"""The loss of the overhaul of feature distillation (OFD), through a margin ReLU.

Tap the BatchNormalization in front of the ReLU. Where the spatial sizes of two maps differ, the larger map is
average-pooled to the smaller one (`pooling.match_maps`).
"""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_kd.finite import nonfinite
from keras_kd.losses.inputs import Mask, PositionWeight
from keras_kd.losses.loss import SignalLoss
from keras_kd.losses.pooling import match_maps
from keras_kd.losses.samples import require_same_shape, sum_per_sample
from keras_kd.tensors import Tensor


@keras.saving.register_keras_serializable("keras_kd")
class OverhaulFeature(SignalLoss):
    """Squared distance through a margin ReLU: what the teacher suppresses need not be copied exactly.

    The teacher's negative values are clipped at the (negative) margin of their channel, and where the
    teacher is not positive, the student is only pulled down, never up.

    Formula: `sum_i (s_i - m_i)^2` with `m = max(t, margin)`, without terms with `t_i <= 0` and `s_i <= m_i`.

    Reads: one map each before the ReLU. The student's goes through a 1x1 convolution and
    BatchNormalization: `kd.Objective(kd.losses.OverhaulFeature(teacher.get_layer("bn4")),
    student="bn2", teacher="bn4", project=kd.projections.ConvNorm())`.

    Defaults: the margin is the average of the teacher's channel where it is negative. With several
    stages, the authors halve the weight from each stage to the one before it, and multiply the sum by
    1e-3 (ImageNet: 1e-4).

    Equals: mdistiller's `feat_loss`, summed over the elements of a sample, averaged over the batch. The
    authors' `distillation_loss` is summed over the batch too.

    Source: Heo, Kim, Yun, Park, Kwak, Choi 2019, "A Comprehensive Overhaul of Feature Distillation",
    arXiv 1904.01866.

    Args:
        margin: The `keras.layers.BatchNormalization` that the teacher's map comes from. Its trained
            `beta` and `gamma` describe the distribution of each channel, a normal with mean `beta` and
            standard deviation `|gamma|`; the margin is the mean of the part below zero, or `-3 |gamma|`
            if at most a thousandth is below zero. Or the margins themselves, one number per channel, none
            above 0, which is how the configuration stores them.

    Shapes:
        teacher, student: the same shape, `(batch, ..., channels)`, after pooling maps to the smaller
        spatial size. Result: `(batch,)`.

    Raises:
        ValueError: A layer that is not built, or whose weights are not finite; margins above 0; a
            different number of channels.

    Examples:
        >>> import numpy as np
        >>> import keras
        >>> import keras_kd as kd
        >>> teacher, student = np.array([[3.0, -7.0]]), np.array([[1.0, -0.5]])
        >>> float(kd.losses.OverhaulFeature([-0.5, -0.5])(teacher, student))
        4.0
        >>> normalization = keras.layers.BatchNormalization()
        >>> normalization.build((None, 2))
        >>> [round(m, 4) for m in kd.losses.OverhaulFeature(normalization).margin]
        [-0.7979, -0.7979]
    """

    def __init__(self, margin: keras.layers.BatchNormalization | Sequence[float], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        is_layer = isinstance(margin, keras.layers.BatchNormalization)
        self.margin = _margins_of(margin) if is_layer else _check_margins(margin)

    def call(
        self, teacher: Tensor, student: Tensor, mask: Mask = None, position_weight: PositionWeight = None
    ) -> Tensor:
        teacher, student = match_maps(ops.stop_gradient(teacher), student, mask)
        require_same_shape(self, teacher, student)
        if teacher.shape[-1] != len(self.margin):
            raise ValueError(
                f"OverhaulFeature has margins for {len(self.margin)} channels, and the teacher's signal has "
                f"the shape {tuple(teacher.shape)}. Give the BatchNormalization that this signal comes from."
            )
        margin = ops.convert_to_tensor(self.margin, dtype=student.dtype)
        distance = student - ops.maximum(teacher, margin)
        # differences count where the teacher is active, and where the student is above the target
        distance = ops.where(teacher > 0, distance, ops.relu(distance))
        return sum_per_sample(ops.square(distance), mask, position_weight)


def _margins_of(layer: keras.layers.BatchNormalization) -> list[float]:
    if not layer.built:
        raise ValueError(
            f"The layer {layer.name!r} is not built, so it has no `beta` and `gamma` for the margins. "
            "Build and train (or load) the teacher first."
        )
    channels = layer.moving_mean.shape[0]
    beta = np.zeros(channels) if layer.beta is None else ops.convert_to_numpy(layer.beta)
    gamma = np.ones(channels) if layer.gamma is None else ops.convert_to_numpy(layer.gamma)
    if nonfinite(beta).any() or nonfinite(gamma).any():
        raise ValueError(
            f"The layer {layer.name!r} has a `beta` or `gamma` that is NaN or infinite, so it gives no "
            "margin. Train the teacher again, or load weights that are finite."
        )
    return [_mean_below_zero(float(b), abs(float(g))) for b, g in zip(beta, gamma, strict=True)]


def _mean_below_zero(mean: float, deviation: float) -> float:
    """`E[x | x < 0]` of a normal; -3 standard deviations if at most a thousandth of it is below zero."""
    if deviation == 0:
        return min(mean, 0.0)
    z = mean / deviation
    fraction = math.erfc(z / math.sqrt(2)) / 2
    if fraction <= 0.001:
        return -3 * deviation
    return mean - deviation * math.exp(-z * z / 2) / math.sqrt(2 * math.pi) / fraction


def _check_margins(margin: object) -> list[float]:
    try:
        numbers = np.asarray(margin, dtype="float64")
    except (TypeError, ValueError):
        numbers = np.zeros(0)
    if numbers.ndim != 1 or not numbers.size or not (np.isfinite(numbers) & (numbers <= 0)).all():
        raise ValueError(
            "`margin` must be the teacher's keras.layers.BatchNormalization, or one number per channel, none "
            f"above 0. Received: {margin!r}."
        )
    return [float(m) for m in numbers]
