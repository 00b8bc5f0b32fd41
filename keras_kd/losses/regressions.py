"""Losses that measure how well the student's features predict the teacher's.

The predictor is a projection with its own weights. Where the spatial sizes of two maps differ, the
larger map is average-pooled to the smaller one (`pooling.match_maps`).
"""

import keras
from keras import ops

from keras_kd.losses.inputs import Mask, PositionWeight
from keras_kd.losses.loss import SignalLoss
from keras_kd.losses.pooling import match_maps
from keras_kd.losses.samples import keep, mean_per_sample, require_same_shape, sum_per_sample
from keras_kd.tensors import Tensor


@keras.saving.register_keras_serializable("keras_kd")
class VariationalInformation(SignalLoss):
    """Negative log-likelihood of the teacher's features under a normal that the student predicts (VID).

    The student's projection predicts a mean for each element; a variance is trained with it. The loss is
    the negative of a lower bound on the mutual information, without its constants: the teacher's entropy
    and `log(2 pi) / 2`. So it can be negative, and it is not zero when the mean equals the teacher.

    Formula: `mean 1/2 ((mu - F_t)^2 / v + log v)` over all elements.

    Reads: one map of the teacher, and the student's pair (mean, variance) that
    `kd.projections.VariationalHead` returns: `kd.Objective("variational_information",
    student="stage2", teacher="stage2", project=kd.projections.VariationalHead())`.

    Defaults: none. The CRD benchmark (arXiv 1910.10699) gives it weight 1; there the head is three
    1x1 convolutions, and the variance of each channel starts at 5.

    Equals: RepDistiller's `VIDLoss`, averaged over all elements. There, a larger map of the student is
    pooled before the head, as in `VariationalHead`; with a custom head, it is pooled after the head.

    Source: Ahn, Hu, Damianou, Lawrence, Dai 2019, "Variational Information Distillation for Knowledge
    Transfer", arXiv 1904.05835.

    Shapes:
        teacher: `(batch, ..., channels)`. student: a tuple of the mean, of the teacher's shape after
        pooling maps to the smaller spatial size, and the variance, positive, `(channels,)` or of
        the mean's shape. Result: `(batch,)`.

    Raises:
        ValueError: Not a pair; shapes that do not match.

    Examples:
        >>> import numpy as np
        >>> import keras_kd as kd
        >>> teacher, mean = np.ones((2, 4, 4, 3)), np.zeros((2, 4, 4, 3))
        >>> float(kd.losses.VariationalInformation()(teacher, (mean, np.ones(3))))
        0.5
    """

    student_signals = (2, 2)
    reads = (
        "one map of the teacher and the pair (mean, variance) of the student, which "
        "project=kd.projections.VariationalHead() makes from one tap"
    )

    def call(
        self,
        teacher: Tensor,
        student: tuple[Tensor, ...],
        mask: Mask = None,
        position_weight: PositionWeight = None,
    ) -> Tensor:
        mean, variance = student
        per_element = len(variance.shape) > 1
        if per_element:
            require_same_shape(self, mean, variance)
            variance = keep(variance, mask, instead=1.0)
        teacher, mean = match_maps(ops.stop_gradient(teacher), mean, mask)
        if per_element:
            variance, _ = match_maps(variance, mean)
        require_same_shape(self, teacher, mean)
        if variance.shape[-1] != mean.shape[-1]:
            raise ValueError(
                f"VariationalInformation reads one variance per channel. Received: {tuple(variance.shape)} "
                f"for a mean of the shape {tuple(mean.shape)}."
            )
        return mean_per_sample(
            0.5 * (ops.square(mean - teacher) / variance + ops.log(variance)), mask, position_weight
        )


@keras.saving.register_keras_serializable("keras_kd")
class MaskedGeneration(SignalLoss):
    """Sum of squared differences to features that were generated from a masked map (MGD).

    The projection drops random parts of the student's map and generates the teacher's whole map
    from the rest. This is the loss that trains it.

    Formula: `sum (G(M F_s) - F_t)^2` over all elements, with `M` the random mask and `G` the generator.

    Reads: one map each: `kd.Objective("masked_generation", student="stage3", teacher="stage3",
    project=kd.projections.MaskedGenerator(), weight=2e-5)`.

    Defaults: none. The authors' weights are 7e-5 for classification (15 % of the channels masked),
    2e-5 for one-stage detectors (65 % of the positions) and segmentation (75 %), and 5e-7 for two-stage
    detectors (45 %).

    Equals: the authors' and mmrazor's `MGDLoss` without its weight: summed over the elements of a
    sample, averaged over the batch.

    Source: Yang, Li, Shao, Shi, Yuan, Yuan 2022, "Masked Generative Distillation", arXiv 2205.01529.

    Shapes:
        teacher, student: the same shape, `(batch, ...)`, after pooling maps to the smaller spatial size.
        Result: `(batch,)`.

    Examples:
        >>> import numpy as np
        >>> import keras_kd as kd
        >>> teacher, student = np.ones((2, 4, 4, 3)), np.zeros((2, 4, 4, 3))
        >>> float(kd.losses.MaskedGeneration()(teacher, student))
        48.0
    """

    def call(
        self, teacher: Tensor, student: Tensor, mask: Mask = None, position_weight: PositionWeight = None
    ) -> Tensor:
        teacher, student = match_maps(ops.stop_gradient(teacher), student, mask)
        require_same_shape(self, teacher, student)
        return sum_per_sample(ops.square(student - teacher), mask, position_weight)
