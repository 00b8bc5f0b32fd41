"""A loss that reads the outputs of multi-label models: a yes/no decision for each class."""

from typing import Any

import keras
from keras import ops

from keras_kd.losses.arguments import check_positive_or_schedule
from keras_kd.losses.classes import require_classes
from keras_kd.losses.divergences import binary_kl
from keras_kd.losses.inputs import Mask, PositionWeight, Step
from keras_kd.losses.loss import SignalLoss
from keras_kd.losses.samples import mean_per_sample, require_same_shape
from keras_kd.tensors import Scheduled, Tensor


@keras.saving.register_keras_serializable("keras_kd")
class BinarySoftTargets(SignalLoss):
    """Divergence between softened yes/no predictions, class by class, for multi-label models.

    Each class is a separate yes/no decision: its probability is a sigmoid, and classes do not compete.
    For large `T`, the loss approaches logit regression, `||z_s - z_t||^2 / 8`.

    Formula: `T^2 * sum_k KL([p_t, 1 - p_t] || [p_s, 1 - p_s])_k` with `p = sigmoid(z / T)`.

    Reads: the outputs of models that end in a sigmoid, or in logits meant for one.

    Defaults: temperature 1, L2D's, which gives this term weight 10.

    Equals: L2D's `MLD` at temperature 1, which clips probabilities at 1e-8: summed over classes,
    averaged over the batch. Binary cross-entropy on soft targets is this plus the teacher's entropy, which
    has no gradient; a version that also averages over the classes reports this divided by `K`.

    Source: Yang et al. 2023, "Multi-Label Knowledge Distillation", arXiv 2308.06453; the
    temperature and `T^2` as in Hinton et al. 2015, arXiv 1503.02531.

    Args:
        temperature: `T > 0`, or a schedule of the training step.

    Shapes:
        teacher, student: `(batch, ..., classes)` logits; one class is enough. Result: `(batch,)`.

    Examples:
        >>> import numpy as np
        >>> import keras_kd as kd
        >>> teacher, student = np.array([[4.0, -4.0]]), np.array([[4.0, 0.0]])
        >>> round(float(kd.losses.BinarySoftTargets()(teacher, student)), 4)
        0.6031
    """

    reads_logits = True
    takes_suppressed = True
    undoes = ("sigmoid",)

    def __init__(self, temperature: Scheduled = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.temperature = check_positive_or_schedule("temperature", temperature)

    def call(
        self,
        teacher: Tensor,
        student: Tensor,
        mask: Mask = None,
        position_weight: PositionWeight = None,
        step: Step = None,
    ) -> Tensor:
        require_same_shape(self, teacher, student)
        require_classes(self, student, at_least=1)
        teacher, temperature = ops.stop_gradient(teacher), self.at(self.temperature, step)
        values = ops.sum(binary_kl(teacher / temperature, student / temperature), axis=-1)
        return temperature**2 * mean_per_sample(values, mask, position_weight)
