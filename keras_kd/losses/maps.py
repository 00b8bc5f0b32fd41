"""Losses that read maps: where a model is active, whatever its number of channels.

Signals are `(batch, ...positions, channels)`. Where the spatial sizes of two maps differ, the larger
map is average-pooled to the smaller one (`pooling.match_maps`), as the reference implementations do.
"""

from typing import Any

import keras
from keras import ops

from keras_kd.losses.arguments import check_integer
from keras_kd.losses.inputs import Mask
from keras_kd.losses.loss import SignalLoss
from keras_kd.losses.pooling import match_maps
from keras_kd.losses.samples import flatten, keep, l2_normalize, mean_per_sample, require_same_shape
from keras_kd.tensors import Tensor


@keras.saving.register_keras_serializable("keras_kd")
class AttentionTransfer(SignalLoss):
    """Squared distance between spatial attention maps.

    An attention map is `a = mean_c |F|^p`, flattened and divided by its L2 norm. The numbers of
    channels may differ, and maps of different sizes are pooled to the smaller.

    Formula: `mean_i (a_s - a_t)_i^2` over positions `i`, averaged over the batch.

    Reads: one map each, from any layer with positions.

    Defaults: `p=2`, the paper's. The CRD benchmark (arXiv 1910.10699) gives it weight 1000.

    Equals: the authors', mdistiller's and RepDistiller's value, averaged over all elements of the maps.
    For an odd `p`, the latter two omit the absolute value.

    Source: Zagoruyko, Komodakis 2017, "Paying More Attention to Attention: Improving the Performance
    of Convolutional Neural Networks via Attention Transfer", arXiv 1612.03928.

    Args:
        p: The power, at least 1; 2 in the paper.

    Shapes:
        teacher, student: `(batch, ...positions, channels)`: maps, volumes or token sequences.
        Maps of different spatial sizes are pooled to the smaller. Result: `(batch,)`.

    Examples:
        >>> import numpy as np
        >>> import keras_kd as kd
        >>> teacher, student = np.ones((2, 4, 4, 8)), np.ones((2, 4, 4, 3))
        >>> float(kd.losses.AttentionTransfer()(teacher, student))
        0.0
    """

    def __init__(self, p: float = 2.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not p >= 1:  # below 1 the gradient is infinite where a ReLU is zero
            raise ValueError(f"`p` must be at least 1. Received: p={p!r}.")
        self.p = float(p)

    def call(self, teacher: Tensor, student: Tensor, mask: Mask = None) -> Tensor:
        require_maps(self, teacher, student)
        teacher, student = match_maps(ops.stop_gradient(teacher), student, mask)
        teacher, student = self._attention(teacher, mask), self._attention(student, mask)
        require_same_shape(self, teacher, student)
        return mean_per_sample(ops.square(student - teacher), None if mask is None else flatten(mask))

    def _attention(self, maps: Tensor, mask: Mask) -> Tensor:
        energy = ops.square(maps) if self.p == 2 else ops.power(ops.abs(maps), self.p)
        return l2_normalize(flatten(keep(ops.mean(energy, axis=-1), mask)))


@keras.saving.register_keras_serializable("keras_kd")
class FactorTransfer(SignalLoss):
    """Distance between normalized factors.

    In the paper, the teacher's factors come from a paraphraser, an autoencoder that is first trained on
    its features, and the student's from a translator that is trained with the student. Both are projections
    here. The numbers of channels may differ, and maps of different sizes are pooled to the smaller.

    Formula: `mean_i |f_s - f_t|_i^p2` over positions `i`, with `f = n(mean_c F^p1)`, flattened, and
    `n` the division by its L2 norm.

    Reads: one map each, usually the last. `kd.Objective("factor_transfer", student="stage3",
    teacher="stage3", project=translator, project_teacher=paraphraser)`, where both are your own layers
    and the paraphraser is already trained; or plain features, without either.

    Defaults: `p1=2`, `p2=1`, RepDistiller's. There the weight is 200.

    Equals: RepDistiller's `FactorTransfer`, averaged over all elements, for `p2=1` and even `p2`; it
    omits the absolute value for others. The paper compares the factors themselves, `F / ||F||`,
    without the mean over channels, as mmrazor and Knowledge-Distillation-Zoo do.

    Source: Kim, Park, Kwak 2018, "Paraphrasing Complex Network: Network Compression via Factor
    Transfer", arXiv 1802.04977.

    Args:
        p1: The power of the features, an integer of at least 1. Odd powers keep the sign.
        p2: The power of the distance, at least 1.

    Shapes:
        teacher, student: `(batch, ...positions, channels)`: maps, volumes or token sequences.
        Maps of different spatial sizes are pooled to the smaller. Result: `(batch,)`.

    Examples:
        >>> import numpy as np
        >>> import keras_kd as kd
        >>> teacher, student = np.ones((2, 4, 4, 8)), np.ones((2, 4, 4, 3))
        >>> float(kd.losses.FactorTransfer()(teacher, student))
        0.0
    """

    def __init__(self, p1: int = 2, p2: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not p2 >= 1:  # below 1 the gradient is infinite where the factors agree
            raise ValueError(f"`p2` must be at least 1. Received: p2={p2!r}.")
        self.p1, self.p2 = check_integer("p1", p1, floats=True), float(p2)

    def call(self, teacher: Tensor, student: Tensor, mask: Mask = None) -> Tensor:
        require_maps(self, teacher, student)
        teacher, student = match_maps(ops.stop_gradient(teacher), student, mask)
        teacher, student = self._factor(teacher, mask), self._factor(student, mask)
        require_same_shape(self, teacher, student)
        distance = ops.abs(student - teacher)
        if self.p2 != 1:
            distance = ops.power(distance, self.p2)
        return mean_per_sample(distance, None if mask is None else flatten(mask))

    def _factor(self, maps: Tensor, mask: Mask) -> Tensor:
        power = maps if self.p1 == 1 else ops.square(maps) if self.p1 == 2 else ops.power(maps, self.p1)
        return l2_normalize(flatten(keep(ops.mean(power, axis=-1), mask)))


def require_maps(loss: SignalLoss, *signals: Tensor) -> None:
    """Raise a `ValueError` for signals without positions."""
    for signal in signals:
        if len(getattr(signal, "shape", (0, 0, 0))) < 3:
            raise ValueError(
                f"{type(loss).__name__} reads maps (batch, ...positions, channels). Received the shape "
                f"{tuple(signal.shape)}, which has no positions: tap a layer before pooling."
            )
