"""A loss that reads how one map turns into the next: flow matrices between two layers."""

import math

import keras
from keras import ops

from keras_kd.losses.inputs import Mask
from keras_kd.losses.loss import SignalLoss
from keras_kd.losses.maps import require_maps
from keras_kd.losses.pooling import match_maps
from keras_kd.losses.samples import count_per_sample, flatten_positions, keep
from keras_kd.tensors import Tensor


@keras.saving.register_keras_serializable("keras_kd")
class SolutionFlow(SignalLoss):
    """Squared distance between the flow matrices of two models (FSP).

    A flow matrix holds, for each channel of a map and each channel of the next, their mean product
    over positions. If the two maps differ in spatial size, the larger is pooled to the smaller. Teacher
    and student may differ in size, but not in channels.

    Formula: `sum_k mean_ij (G_s,k - G_t,k)_ij^2` with `G_k = F_k^T F_k+1 / positions`, over consecutive
    maps `k`.

    Reads: a tuple of two or more maps each, in the order of the layers:
    `kd.Objective("solution_flow", student=("stage1", "stage2"), teacher=("stage1", "stage2"),
    project=True)`. The projection gives each of the student's maps the teacher's channels.

    Defaults: none. The CRD benchmark (arXiv 1910.10699) first trains on this loss alone, with weight 50.

    Equals: RepDistiller's `FSP`, averaged over all elements of each matrix, summed over pairs.

    Source: Yim, Joo, Bae, Kim 2017, "A Gift from Knowledge Distillation: Fast Optimization, Network
    Minimization and Transfer Learning", CVPR 2017 (no arXiv id).

    Shapes:
        teacher, student: tuples of the same length of `(batch, ...positions, channels)`, with the same
        numbers of channels. A mask needs maps of the same spatial size. Result: `(batch,)`.

    Raises:
        ValueError: Not tuples; tuples of different lengths; flow matrices of different shapes.

    Examples:
        >>> import numpy as np
        >>> import keras_kd as kd
        >>> first, last = np.ones((2, 8, 8, 3)), np.ones((2, 4, 4, 5))
        >>> float(kd.losses.SolutionFlow()((first, last), (first, 2 * last)))
        1.0
    """

    teacher_signals = (2, math.inf)
    student_signals = (2, math.inf)
    reads = "two or more maps of each model, such as student=('stage1', 'stage2')"

    def call(self, teacher: tuple[Tensor, ...], student: tuple[Tensor, ...], mask: Mask = None) -> Tensor:
        for signal in (teacher, student):
            require_maps(self, *signal)
        if len(teacher) != len(student):
            raise ValueError(
                "SolutionFlow compares the same number of maps of both models. Received: "
                f"{len(teacher)} of the teacher, {len(student)} of the student."
            )
        total = 0.0
        for k in range(len(teacher) - 1):
            flow_t = ops.stop_gradient(_flow_matrix(teacher[k], teacher[k + 1], mask))
            flow_s = _flow_matrix(student[k], student[k + 1], mask)
            if flow_t.shape[1:] != flow_s.shape[1:]:
                raise ValueError(
                    "SolutionFlow compares flow matrices of the same shape, channels x channels of the next "
                    f"map. Received: teacher {tuple(flow_t.shape[1:])}, student {tuple(flow_s.shape[1:])}. "
                    "Give the student's maps the teacher's channels with project=True."
                )
            total = total + ops.mean(ops.square(flow_s - flow_t), axis=(1, 2))
        return total


def _flow_matrix(first: Tensor, last: Tensor, mask: Mask) -> Tensor:
    first, last = match_maps(first, last, mask, names=("one map", "the next"))
    first, last = (flatten_positions(keep(maps, mask)) for maps in (first, last))
    products = ops.matmul(ops.transpose(first, (0, 2, 1)), last)
    if mask is None:
        return products / ops.cast(ops.shape(first)[1], products.dtype)
    return products / ops.reshape(count_per_sample(mask, products.dtype), (-1, 1, 1))
