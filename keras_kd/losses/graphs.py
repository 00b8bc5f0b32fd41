"""A loss that reads the graphs that the samples of a batch form in several layers."""

import math
from itertools import pairwise
from typing import Any

import keras
from keras import ops

from keras_kd.losses.arguments import check_not_negative
from keras_kd.losses.distances import divide, squared_distances
from keras_kd.losses.inputs import Mask
from keras_kd.losses.loss import SignalLoss
from keras_kd.losses.pooling import match_maps
from keras_kd.losses.samples import keep, mean_per_sample, require_same_shape, sum_per_sample
from keras_kd.tensors import Tensor


@keras.saving.register_keras_serializable("keras_kd")
class InstanceRelationshipGraph(SignalLoss):
    """Squared distance between graphs of the batch: vertices, edges, and changes from layer to layer.

    Vertices are the outputs. Edges are squared distances between samples, in each feature. The
    transformation is how far each sample moves from one feature to the next, if both have the same
    rank: the larger map is pooled, and neighboring channels of the wider one are averaged. Edges and
    transformations are divided by their largest value in the batch. Padded positions count as zeros.

    Formula: `a mean_k (z_s - z_t)^2 + b mean_layers mean_j (e_s - e_t)^2 + c mean_pairs (u_s - u_t)^2`
    with `e = ||f_i - f_j||^2 / max` and `u = ||f_i' - f_i''||^2 / max`.

    Reads: features, then the output, of both models:
    `kd.Objective("instance_relationship_graph", student=("block2", "block3", "pool", "output"),
    teacher=("block2", "block3", "pool", "output"))`.

    Defaults: `vertices=0.1`, `edges=5`, `transformation=5`, Knowledge-Distillation-Zoo's. Weight 1.

    Equals: Knowledge-Distillation-Zoo's `IRG`, which reads two maps, a vector and the output. The
    authors' own code (Caffe) was not compared.

    Source: Liu et al. 2019, "Knowledge Distillation via Instance Relationship Graph", CVPR 2019.

    Args:
        vertices: Weight of the outputs, at least 0.
        edges: Weight of the distances between samples, at least 0.
        transformation: Weight of the distances between layers, at least 0.

    Shapes:
        teacher, student: tuples of one or more features `(batch, ...)` and the output
        `(batch, ..., classes)`, of the same length; ranks must match, and so must the outputs' shapes.
        For consecutive features of the same rank, sequences must have the same length, and the channels
        of one must be a multiple of the other's. Result: `(batch,)`.

    Raises:
        ValueError: Other shapes; no two consecutive features of the same rank, unless `transformation=0`.

    Examples:
        >>> import numpy as np
        >>> import keras_kd as kd
        >>> teacher = np.eye(3), 2.0 * np.eye(3), np.ones((3, 2))
        >>> student = np.eye(3), 2.0 * np.eye(3), np.zeros((3, 2))
        >>> round(float(kd.losses.InstanceRelationshipGraph()(teacher, student)), 6)
        0.1
    """

    reads_logits = True
    undoes = ("softmax", "sigmoid")
    teacher_signals = (2, math.inf)
    student_signals = (2, math.inf)
    reads = (
        "features and then the output of both models, of the same ranks, as student=('block1', 'block2', "
        "'output')"
    )

    def __init__(
        self, vertices: float = 0.1, edges: float = 5.0, transformation: float = 5.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.vertices, self.edges = (
            check_not_negative("vertices", vertices),
            check_not_negative("edges", edges),
        )
        self.transformation = check_not_negative("transformation", transformation)

    def call(self, teacher: tuple[Tensor, ...], student: tuple[Tensor, ...], mask: Mask = None) -> Tensor:
        self._require_ranks(teacher, student)
        require_same_shape(self, teacher[-1], student[-1])
        gap = ops.square(student[-1] - ops.stop_gradient(teacher[-1]))
        value = self.vertices * mean_per_sample(gap, _mask_for(gap, mask))
        of_teacher = [keep(ops.stop_gradient(x), _mask_for(x, mask)) for x in teacher[:-1]]
        of_student = [keep(x, _mask_for(x, mask)) for x in student[:-1]]
        if self.edges:
            pairs = zip(map(_edges, of_teacher), map(_edges, of_student), strict=True)
            gaps = [ops.mean(ops.square(s - t), axis=-1) for t, s in pairs]
            value = value + self.edges * sum(gaps) / len(gaps)
        if self.transformation:
            moves = zip(_moves(of_teacher), _moves(of_student), strict=True)
            gaps = [ops.square(s - t) for t, s in moves]
            value = value + self.transformation * sum(gaps) / len(gaps)
        return value

    def _require_ranks(self, teacher: tuple[Tensor, ...], student: tuple[Tensor, ...]) -> None:
        shapes = [[tuple(x.shape) for x in side] for side in (teacher, student)]
        of_teacher, of_student = ([len(shape) for shape in side] for side in shapes)
        if of_teacher != of_student:
            raise ValueError(
                f"InstanceRelationshipGraph reads {self.reads}. "
                f"Received: teacher {shapes[0]}, student {shapes[1]}."
            )


def _mask_for(signal: Tensor, mask: Mask) -> Tensor | None:
    """The mask, for a signal with positions; `None` for a vector."""
    return mask if mask is not None and len(signal.shape) > len(mask.shape) else None


def _edges(features: Tensor) -> Tensor:
    squared = squared_distances(features)
    return divide(squared, ops.max(squared))


def _moves(features: list[Tensor]) -> list[Tensor]:
    """How far each sample moves from one feature to the next of the same rank."""
    found = []
    for one, other in pairwise(features):
        if len(one.shape) == len(other.shape):
            squared = sum_per_sample(ops.square(_subtract(one, other)))
            found.append(divide(squared, ops.max(squared)))
    if not found:
        raise ValueError(
            "The transformation needs two consecutive features of the same rank, and the shapes are "
            f"{[tuple(x.shape) for x in features]}. Tap such layers, or pass transformation=0."
        )
    return found


def _subtract(one: Tensor, other: Tensor) -> Tensor:
    wide, narrow = max(one.shape[-1], other.shape[-1]), min(one.shape[-1], other.shape[-1])
    lengths = {x.shape[1] for x in (one, other) if len(x.shape) == 3 and x.shape[1] is not None}
    if len(lengths) > 1 or wide % narrow:
        raise ValueError(
            "Two consecutive features must have the same length, and the channels of one must be a multiple "
            f"of the other's. Received: {tuple(one.shape)} and {tuple(other.shape)}. Tap other layers, or "
            "pass transformation=0."
        )
    one, other = match_maps(one, other)
    return _average_channels(one, narrow) - _average_channels(other, narrow)


def _average_channels(features: Tensor, channels: int) -> Tensor:
    if features.shape[-1] == channels:
        return features
    shape = (*ops.shape(features)[:-1], channels, features.shape[-1] // channels)
    return ops.mean(ops.reshape(features, shape), axis=-1)
