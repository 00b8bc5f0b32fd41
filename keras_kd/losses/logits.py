"""Losses that read outputs: what the teacher predicts for each class.

They take logits, with classes on the last axis. A `Distiller` turns the outputs of a model that ends in
a softmax back into logits before these losses see them. Axes between the batch and the classes (pixels,
tokens) are averaged, so every loss gives one value per sample.
"""

from typing import Any

import keras
from keras import ops

from keras_kd.losses.arguments import check_positive_or_schedule
from keras_kd.losses.classes import require_logits
from keras_kd.losses.divergences import kl_divergence, standardize
from keras_kd.losses.inputs import Mask, PositionWeight, Step
from keras_kd.losses.loss import SignalLoss
from keras_kd.losses.samples import mean_per_sample, require_same_shape
from keras_kd.tensors import Scheduled, Tensor


@keras.saving.register_keras_serializable("keras_kd")
class SoftTargets(SignalLoss):
    """Kullback-Leibler divergence between softened class distributions (Hinton's distillation).

    The factor `T^2` keeps the gradient's size independent of the temperature. For large `T`, the loss
    approaches logit regression, `||z_s - z_t||^2 / (2 K)` for centered logits. A class that the teacher
    suppresses by a logit of minus infinity has no term; without `standardize`, which takes no infinity.

    Formula: `T^2 * sum_k p_t (log p_t - log p_s)` with `p = softmax(z / T)`.

    Reads: the outputs.

    Defaults: temperature 4, the CRD benchmark's (arXiv 1910.10699).

    Equals: mdistiller's `KD`: summed over classes, averaged over the batch, times `T^2`. Code that
    also divides by the number of classes (PyTorch's `reduction="mean"`) reports this divided by `K`.

    Source: Hinton, Vinyals, Dean 2015, "Distilling the Knowledge in a Neural Network",
    arXiv 1503.02531. `standardize=True` is logit standardization, Sun et al. 2024,
    arXiv 2403.01427 (there: `T=2`, weight 9).

    Args:
        temperature: `T > 0`, or a schedule of the training step.
        standardize: Scale each row of logits to mean 0 and standard deviation 1 (unbiased, with divisor
            `K - 1`, plus 1e-7, as in the reference) before the temperature is applied. The value is
            then invariant to the scale and offset of either model's logits.

    Shapes:
        teacher, student: `(batch, ..., classes)` logits, two or more classes. Result: `(batch,)`.

    Examples:
        >>> import numpy as np
        >>> import keras_kd as kd
        >>> teacher, student = np.array([[4.0, 0.0]]), np.array([[0.0, 4.0]])
        >>> round(float(kd.losses.SoftTargets(temperature=1.0)(teacher, student)), 4)
        3.8561
    """

    reads_logits = True

    def __init__(self, temperature: Scheduled = 4.0, standardize: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.temperature = check_positive_or_schedule("temperature", temperature)
        self.standardize = bool(standardize)

    @property
    def takes_suppressed(self) -> bool:  # type: ignore[override]
        return not self.standardize

    def call(
        self,
        teacher: Tensor,
        student: Tensor,
        mask: Mask = None,
        position_weight: PositionWeight = None,
        step: Step = None,
    ) -> Tensor:
        require_logits(self, teacher, student)
        teacher, temperature = ops.stop_gradient(teacher), self.at(self.temperature, step)
        if self.standardize:
            teacher, student = standardize(teacher), standardize(student)
        log_teacher = ops.log_softmax(teacher / temperature)
        log_student = ops.log_softmax(student / temperature)
        return temperature**2 * mean_per_sample(
            kl_divergence(log_teacher, log_student), mask, position_weight
        )


@keras.saving.register_keras_serializable("keras_kd")
class HardTargets(SignalLoss):
    """Cross-entropy against the class that the teacher ranks first (hard-label distillation).

    Formula: `-log softmax(z_s)[argmax z_t]`.

    Reads: the outputs.

    Defaults: none. DeiT uses weight 1/2, in addition to the loss on the true labels.

    Equals: DeiT's hard distillation term, averaged over the batch. DeiT's student has a separate output
    for it, that of the distillation token.

    Source: Touvron et al. 2021, "Training data-efficient image transformers & distillation through
    attention", arXiv 2012.12877.

    Shapes:
        teacher, student: `(batch, ..., classes)` logits, two or more classes. Result: `(batch,)`.

    Examples:
        >>> import numpy as np
        >>> import keras_kd as kd
        >>> teacher, student = np.array([[4.0, 0.0]]), np.array([[0.0, 0.0]])
        >>> round(float(kd.losses.HardTargets()(teacher, student)), 4)
        0.6931
    """

    reads_logits = True
    takes_suppressed = True

    def call(
        self, teacher: Tensor, student: Tensor, mask: Mask = None, position_weight: PositionWeight = None
    ) -> Tensor:
        require_logits(self, teacher, student)
        labels = ops.argmax(ops.stop_gradient(teacher), axis=-1)
        return mean_per_sample(
            ops.sparse_categorical_crossentropy(labels, student, from_logits=True), mask, position_weight
        )


@keras.saving.register_keras_serializable("keras_kd")
class LogitsMSE(SignalLoss):
    """Mean squared difference of the logits.

    Formula: `mean_k (z_s - z_t)^2`.

    Reads: the outputs; the values before a softmax or a sigmoid.

    Defaults: none.

    Equals: Knowledge-Distillation-Zoo's `Logits`, averaged over all elements. Ba and Caruana's value,
    half the sum over classes, is this times `K / 2`.

    Source: Ba, Caruana 2014, "Do Deep Nets Really Need to be Deep?", arXiv 1312.6184.

    Shapes:
        teacher, student: `(batch, ..., classes)` logits. Result: `(batch,)`.

    Examples:
        >>> import numpy as np
        >>> import keras_kd as kd
        >>> float(kd.losses.LogitsMSE()(np.array([[4.0, 0.0]]), np.array([[2.0, 0.0]])))
        2.0
    """

    reads_logits = True
    undoes = ("softmax", "sigmoid")

    def call(
        self, teacher: Tensor, student: Tensor, mask: Mask = None, position_weight: PositionWeight = None
    ) -> Tensor:
        require_same_shape(self, teacher, student)
        return mean_per_sample(ops.square(student - ops.stop_gradient(teacher)), mask, position_weight)
