"""A loss that compares maps at several resolutions."""

import math

import keras
from keras import ops

from keras_kd.losses.inputs import Signal, parts_of
from keras_kd.losses.loss import SignalLoss
from keras_kd.losses.pooling import match_maps, pool_to
from keras_kd.losses.samples import mean_per_sample, require_same_shape
from keras_kd.tensors import Tensor

_LEVELS = (4, 2, 1)


@keras.saving.register_keras_serializable("keras_kd")
class HierarchicalContext(SignalLoss):
    """Mean squared error of maps at full size and pooled to 4 x 4, 2 x 2 and 1 x 1 (ReviewKD's HCL).

    The weights 1, 1/2, 1/4, 1/8 are divided by their sum. A level that is not smaller than the map
    is skipped, and the next one gets its weight.

    Formula: `sum_l w_l mean((P_l F_s - P_l F_t)^2) / sum_l w_l`, with `P_l` the average pooling to
    level `l`, summed over the maps of a tuple.

    Reads: one map each, or a tuple of maps each. In ReviewKD the student's maps are fused from the last
    to the first: `kd.Objective("hierarchical_context", student=("stage1", "stage2", "stage3"),
    teacher=("stage1", "stage2", "stage3"), project=kd.projections.ReviewFusion())`. On CIFAR-100,
    the authors use the teacher's maps before the ReLU, with pooled features as the last of the tuple.

    Defaults: the levels and weights are those of the authors' code, which gives it weights from 0.6 to 8,
    ramped up from 0 over the first 20 epochs on CIFAR-100.

    Equals: the authors' `hcl` and mdistiller's `hcl_loss`, averaged over the batch, summed over maps.

    Source: Chen, Liu, Zhao, Jia 2021, "Distilling Knowledge via Knowledge Review", arXiv 2104.09044.

    Shapes:
        teacher, student: `(batch, ...positions, channels)` of known size, the same shape after pooling
        maps to the smaller spatial size; or tuples of such maps, of the same length. A pooled vector
        `(batch, channels)` counts as a map of size 1. Result: `(batch,)`.

    Raises:
        ValueError: Tuples of different lengths; shapes that differ; an unknown height or width.

    Examples:
        >>> import numpy as np
        >>> import keras_kd as kd
        >>> teacher, student = np.ones((2, 8, 8, 3)), np.zeros((2, 8, 8, 3))
        >>> float(kd.losses.HierarchicalContext()(teacher, student))
        1.0
        >>> float(kd.losses.HierarchicalContext()((teacher, teacher), (student, student)))
        2.0
    """

    teacher_signals = (1, math.inf)
    student_signals = (1, math.inf)
    reads = "a map of each model, or a tuple of the same number of maps of each"

    def call(self, teacher: Signal, student: Signal) -> Tensor:
        teachers, students = parts_of(teacher), parts_of(student)
        if len(teachers) != len(students) or not teachers:
            raise ValueError(
                "HierarchicalContext compares the same number of maps of both models. Received: "
                f"{len(teachers)} of the teacher, {len(students)} of the student."
            )
        return sum(self._context(*maps) for maps in zip(teachers, students, strict=True))

    def _context(self, teacher: Tensor, student: Tensor) -> Tensor:
        teacher, student = _as_map(teacher, student), _as_map(student, teacher)
        if None in (*teacher.shape[1:], *student.shape[1:]):
            raise ValueError(
                "HierarchicalContext pools maps of a known size. Received: teacher "
                f"{tuple(teacher.shape)}, student {tuple(student.shape)}. Give the models' inputs a height "
                "and a width."
            )
        teacher, student = match_maps(ops.stop_gradient(teacher), student)
        require_same_shape(self, teacher, student)
        sizes = student.shape[1:-1]
        # pooling is linear, so it is enough to pool the difference, once
        finest = student - teacher
        total, weight, weights = mean_per_sample(ops.square(finest)), 1.0, 1.0
        for level in _LEVELS:
            if level >= min(sizes):
                continue
            pooled = pool_to(finest, [level] * len(sizes))
            if all(size % level == 0 for size in sizes):
                finest = pooled  # coarser levels average the same positions, at a lower cost
            weight /= 2
            weights += weight
            total = total + weight * mean_per_sample(ops.square(pooled))
        return total / weights


def _as_map(signal: Tensor, other: Tensor) -> Tensor:
    """A pooled vector as a map with one position, of the other signal's rank."""
    rank = max(len(other.shape), 3)
    if len(signal.shape) != 2:
        return signal
    return ops.reshape(signal, (-1, *[1] * (rank - 2), signal.shape[-1]))
