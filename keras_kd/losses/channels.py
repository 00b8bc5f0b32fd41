"""Losses that treat each channel of a map as a pattern over positions.

Where the spatial sizes of two maps differ, the larger map is average-pooled to the smaller one
(`pooling.match_maps`).
"""

import math
from typing import Any

import keras
from keras import ops

from keras_kd.losses.arguments import check_positive_or_schedule
from keras_kd.losses.divergences import kl_divergence
from keras_kd.losses.inputs import Mask, Step
from keras_kd.losses.loss import SignalLoss
from keras_kd.losses.maps import require_maps
from keras_kd.losses.pooling import match_maps
from keras_kd.losses.samples import flatten_positions, keep, l2_normalize, require_same_shape
from keras_kd.tensors import Scheduled, Tensor


@keras.saving.register_keras_serializable("keras_kd")
class NeuronSelectivity(SignalLoss):
    """Maximum mean discrepancy between the patterns that the channels of two maps select.

    Each channel is a sample: its map, divided by its L2 norm. The value is 0 when both models
    have the same set of patterns, in any order. The numbers of channels may differ, and maps of
    different sizes are pooled to the smaller.

    The kernel is `k(a, b) = (a . b)^2`, so the mean over pairs of channels is the squared norm of a
    matrix product. Of its two forms, channels x channels and positions x positions, the cheaper
    one is computed; no tensor of size channels x channels x positions is created.

    Formula: `mean k(a_t, a_t') + mean k(a_s, a_s') - 2 mean k(a_s, a_t)` over pairs of channels, with
    `k(a, b) = (a . b)^2` and `a = F_c / ||F_c||` over positions.

    Reads: one map each, from any layer with positions.

    Defaults: none. The CRD benchmark (arXiv 1910.10699) gives it weight 50.

    Equals: mdistiller's and RepDistiller's value with the polynomial kernel, averaged over the batch.

    Source: Huang, Wang 2017, "Like What You Like: Knowledge Distill via Neuron Selectivity
    Transfer", arXiv 1707.01219.

    Shapes:
        teacher, student: `(batch, ...positions, channels)`: maps, volumes or token sequences.
        Maps of different spatial sizes are pooled to the smaller. Result: `(batch,)`.

    Examples:
        >>> import numpy as np
        >>> import keras_kd as kd
        >>> maps = np.random.default_rng(0).normal(size=(2, 4, 4, 8))
        >>> abs(float(kd.losses.NeuronSelectivity()(maps, maps[..., ::-1]))) < 1e-6
        True
    """

    def call(self, teacher: Tensor, student: Tensor, mask: Mask = None) -> Tensor:
        require_maps(self, teacher, student)
        teacher, student = match_maps(ops.stop_gradient(teacher), student, mask)
        teacher, student = (
            l2_normalize(flatten_positions(keep(maps, mask)), axis=1) for maps in (teacher, student)
        )
        t, s, positions = teacher.shape[-1], student.shape[-1], student.shape[1]
        if positions is None or t * t + s * s + t * s <= positions * (t + s):
            # the teacher's own term is constant, but without it the value at the teacher would not be 0
            kernels = [_kernel(teacher, teacher), _kernel(student, student), -2 * _kernel(student, teacher)]
            return kernels[0] + kernels[1] + kernels[2]
        difference = _outer(student) - _outer(teacher)
        return ops.sum(ops.square(difference), axis=(1, 2))


def _kernel(a: Tensor, b: Tensor) -> Tensor:
    products = ops.matmul(ops.transpose(a, (0, 2, 1)), b)
    return ops.mean(ops.square(products), axis=(1, 2))


def _outer(a: Tensor) -> Tensor:
    return ops.matmul(a, ops.transpose(a, (0, 2, 1))) / a.shape[-1]


@keras.saving.register_keras_serializable("keras_kd")
class ChannelWise(SignalLoss):
    """Kullback-Leibler divergence between the spatial distributions of each channel, for dense prediction.

    A softmax over positions turns each channel into a distribution. Adding a constant to a channel does
    not change the value. Maps of different sizes are pooled to the smaller.

    Formula: `T^2 / C * sum_c KL(p_t,c || p_s,c)` with `p_c = softmax(F_c / T)` over positions.

    Reads: one map each with the same number of channels: the logits of a segmentation model, or
    features with `project=True`.

    Defaults: temperature 4, the authors' for segmentation, with weight 3 on the logits.

    Equals: the authors' `CriterionCWD` and mmrazor's `ChannelWiseDivergence`: summed over positions,
    averaged over channels and the batch, times `T^2`. mmrazor's default is `temperature=1`. Code that
    omits the factor `T^2` reports this divided by `T^2`.

    Source: Shu, Liu, Gao, Yan, Shen 2021, "Channel-wise Knowledge Distillation for Dense Prediction",
    arXiv 2011.13256.

    Args:
        temperature: `T > 0`, or a schedule of the training step.

    Shapes:
        teacher, student: `(batch, ...positions, channels)`, with two or more positions and the same
        number of channels. Maps of different spatial sizes are pooled to the smaller. Result: `(batch,)`.

    Examples:
        >>> import numpy as np
        >>> import keras_kd as kd
        >>> maps = np.random.default_rng(0).normal(size=(2, 4, 4, 3))
        >>> round(float(kd.losses.ChannelWise()(maps, maps + np.array([1.0, 2.0, 3.0]))), 6)
        0.0
    """

    reads_logits = True
    undoes = ("softmax", "sigmoid")

    def __init__(self, temperature: Scheduled = 4.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.temperature = check_positive_or_schedule("temperature", temperature)

    def call(self, teacher: Tensor, student: Tensor, mask: Mask = None, step: Step = None) -> Tensor:
        require_maps(self, teacher, student)
        teacher, student = match_maps(ops.stop_gradient(teacher), student, mask)
        require_same_shape(self, teacher, student)
        if math.prod(n or 0 for n in student.shape[1:-1]) == 1:
            raise ValueError(
                "ChannelWise compares distributions over two or more positions, and the maps have one: "
                f"{tuple(student.shape)}. Tap a layer before pooling."
            )
        temperature = self.at(self.temperature, step)
        logs = [self._log_probabilities(maps / temperature, mask) for maps in (teacher, student)]
        return temperature**2 * ops.mean(kl_divergence(*logs), axis=-1)

    def _log_probabilities(self, maps: Tensor, mask: Mask) -> Tensor:
        # a finite number whose probability in the softmax is exactly zero
        channels = ops.transpose(flatten_positions(keep(maps, mask, instead=-1e30)), (0, 2, 1))
        return ops.log_softmax(channels)
