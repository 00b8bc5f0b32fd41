"""What a generator without data is trained on: how a teacher answers to what it makes."""

from collections.abc import Sequence
from typing import NamedTuple

import keras
from keras import ops

from keras_kd.tensors import Tensor


class GeneratorWeights(NamedTuple):
    """The weights of the three parts of DAFL's loss, and of DeepInversion's."""

    one_hot: float
    entropy: float
    activation: float
    statistics: float


def generator_loss(
    logits: Tensor, features: Tensor | None, gaps: Sequence[Tensor], weights: GeneratorWeights
) -> Tensor:
    """DAFL's loss of a generator: sure answers, all classes alike, strong features.

    Formula: `one_hot * mean(-log max p) + entropy * sum(m log10 m) - activation * mean |f| +
    statistics * mean(gaps)`, where `m` is the mean of `p = softmax(logits)` over the batch.

    Source: Chen et al. 2019, "Data-Free Learning of Student Networks", arXiv 1904.01186, and its code.

    Args:
        logits: The teacher's, `(batch, classes)`.
        features: The teacher's features `(batch, ...)`, or `None` to leave that part out.
        gaps: The `statistics_gap` of each BatchNorm; none to leave that part out.
        weights: Of the parts.
    """
    log_p = ops.log_softmax(ops.cast(logits, "float32"))
    mean = ops.mean(ops.exp(log_p), axis=0)
    value = -weights.one_hot * ops.mean(ops.max(log_p, axis=-1))
    value += weights.entropy * ops.sum(mean * ops.log10(ops.maximum(mean, 1e-12)))
    if features is not None:
        value -= weights.activation * ops.mean(ops.abs(ops.cast(features, "float32")))
    return value + weights.statistics * ops.mean(ops.stack(list(gaps))) if gaps else value


def statistics_gap(norm: keras.layers.BatchNormalization, inputs: Tensor) -> Tensor:
    """How far what a BatchNorm reads is from the statistics that it kept.

    Formula: the mean over channels of `(mean - kept mean)^2 / v + (deviation / sqrt(v) - 1)^2`, where `v` is
    the kept variance. It is the squared Wasserstein distance of two normal distributions, relative to `v`.

    Source: after Yin et al. 2020, "Dreaming to Distill", arXiv 1912.08795, whose terms are not relative.

    Args:
        norm: The layer, which is built.
        inputs: What it reads, `(batch, ..., channels)`.
    """
    x = ops.cast(inputs, "float32")
    axis = norm.axis % len(x.shape)
    mean, variance = ops.moments(x, [other for other in range(len(x.shape)) if other != axis])
    kept = ops.cast(norm.moving_variance, "float32") + norm.epsilon
    apart = ops.square(mean - ops.cast(norm.moving_mean, "float32")) / kept
    return ops.mean(apart + ops.square(ops.sqrt((variance + norm.epsilon) / kept) - 1))
