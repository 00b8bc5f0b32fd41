"""Losses that compare Gram matrices of the probabilities: class by class, and sample by sample.

Positions (pixels, tokens) are averaged, and padded ones are ignored. A value that exists only for the
whole batch is spread evenly over its samples, so that the mean over the batch is the published value.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_kd.losses.arguments import check_positive, check_positive_or_schedule
from keras_kd.losses.classes import require_logits, soften
from keras_kd.losses.divergences import kl_divergence
from keras_kd.losses.inputs import Mask, Step
from keras_kd.losses.loss import SignalLoss
from keras_kd.losses.samples import flatten, keep, mean_per_sample, spread_over_batch
from keras_kd.tensors import Scheduled, Tensor


@keras.saving.register_keras_serializable("keras_kd")
class ClassCorrelation(SignalLoss):
    """Squared distance between the class-by-class matrices of a batch: which classes occur together.

    Formula: `||P_t^T P_t - P_s^T P_s||_F^2 / K` with `P` the rows `softmax(z / T)` of the batch.

    Reads: the outputs.

    Defaults: temperature 4. The authors sum over five temperatures, see `MultiLevelLogits`.

    Equals: the authors' `cc_loss`, which also divides by `K` and has no `T^2`. It grows with the square
    of the batch size. A sample with positions contributes the mean over them: their number does not matter.

    Source: Jin, Wang, Lin 2023, "Multi-Level Logit Distillation", CVPR 2023.

    Args:
        temperature: `T > 0`, or a schedule of the training step.

    Shapes:
        teacher, student: `(batch, ..., classes)` logits, two or more classes. Result: `(batch,)`.

    Examples:
        >>> import numpy as np
        >>> import keras_kd as kd
        >>> teacher, student = np.array([[40.0, 0.0], [0.0, 40.0]]), np.zeros((2, 2))
        >>> float(kd.losses.ClassCorrelation(1.0)(teacher, student))
        0.5
    """

    reads_logits = True
    takes_suppressed = True

    def __init__(self, temperature: Scheduled = 4.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.temperature = check_positive_or_schedule("temperature", temperature)

    def call(self, teacher: Tensor, student: Tensor, mask: Mask = None, step: Step = None) -> Tensor:
        probabilities = soften(self, teacher, student, self.at(self.temperature, step))
        of_teacher, of_student = (_averaging(p, mask) for p in probabilities)
        return _class_correlation(of_teacher, of_student, mask)


@keras.saving.register_keras_serializable("keras_kd")
class BatchCorrelation(SignalLoss):
    """Squared distance between the sample-by-sample matrices of a batch: which samples look alike.

    Formula: `||P_t P_t^T - P_s P_s^T||_F^2 / B` with `P` the rows `softmax(z / T)` of the batch.

    Reads: the outputs.

    Defaults: temperature 4. The authors sum over five temperatures, see `MultiLevelLogits`.

    Equals: the authors' `bc_loss`, which also divides by `B` and has no `T^2`; the value of a sample is
    its row of the matrix. With positions, two samples are compared position by position, and averaged.

    Source: Jin, Wang, Lin 2023, "Multi-Level Logit Distillation", CVPR 2023.

    Args:
        temperature: `T > 0`, or a schedule of the training step.

    Shapes:
        teacher, student: `(batch, ..., classes)` logits, two or more classes. Result: `(batch,)`.

    Examples:
        >>> import numpy as np
        >>> import keras_kd as kd
        >>> teacher, student = np.array([[40.0, 0.0], [0.0, 40.0]]), np.zeros((2, 2))
        >>> float(kd.losses.BatchCorrelation(1.0)(teacher, student))
        0.5
    """

    reads_logits = True
    takes_suppressed = True

    def __init__(self, temperature: Scheduled = 4.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.temperature = check_positive_or_schedule("temperature", temperature)

    def call(self, teacher: Tensor, student: Tensor, mask: Mask = None, step: Step = None) -> Tensor:
        p_t, p_s = soften(self, teacher, student, self.at(self.temperature, step))
        return _batch_correlation(_averaging(p_t, mask), _averaging(p_s, mask))


@keras.saving.register_keras_serializable("keras_kd")
class MultiLevelLogits(SignalLoss):
    """Soft targets, class correlation and batch correlation, each at several temperatures.

    Formula: the sum over the temperatures of `T^2 KL(p_t || p_s) + ||P_t^T P_t - P_s^T P_s||_F^2 / K
    + ||P_t P_t^T - P_s P_s^T||_F^2 / B`.

    Reads: the outputs.

    Defaults: temperatures 2 to 6, the authors' for CIFAR-100. They weight the three terms by 0.9 each
    and the hard loss by 0.1, and train on a weakly and a strongly augmented view of every image. For
    ImageNet they use temperature 1 instead of 4, and weights 0.5 and 0.5.

    Equals: the sum of `SoftTargets`, `ClassCorrelation` and `BatchCorrelation`, which equal the
    authors' functions, on one view. Their training code differs: its masks of the less confident samples
    and classes multiply values that are already averaged, which roughly halves them; at temperatures 2
    and 6, its soft targets for the strong view use the weak one; and the correlations of the strong view
    are computed but not added to the loss.

    Source: Jin, Wang, Lin 2023, "Multi-Level Logit Distillation", CVPR 2023.

    Args:
        temperatures: One or more positive numbers.

    Shapes:
        teacher, student: `(batch, ..., classes)` logits, two or more classes. Result: `(batch,)`.

    Examples:
        >>> import numpy as np
        >>> import keras_kd as kd
        >>> teacher, student = np.array([[40.0, 0.0], [0.0, 40.0]]), np.zeros((2, 2))
        >>> round(float(kd.losses.MultiLevelLogits((1.0,))(teacher, student)), 4)
        1.6931
    """

    reads_logits = True
    takes_suppressed = True

    def __init__(self, temperatures: Sequence[float] = (2, 3, 4, 5, 6), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(temperatures, (tuple, list)) or not temperatures:
            raise ValueError(f"`temperatures` must be a tuple of numbers. Received: {temperatures!r}.")
        self.temperatures = tuple(check_positive("temperatures", t) for t in temperatures)

    def call(self, teacher: Tensor, student: Tensor, mask: Mask = None) -> Tensor:
        require_logits(self, teacher, student)
        teacher = ops.stop_gradient(teacher)
        return sum(self._at_temperature(teacher / t, student / t, t, mask) for t in self.temperatures)

    def _at_temperature(self, teacher: Tensor, student: Tensor, temperature: float, mask: Mask) -> Tensor:
        log_t, log_s = ops.log_softmax(teacher), ops.log_softmax(student)
        p_t, p_s = _averaging(ops.exp(log_t), mask), _averaging(ops.exp(log_s), mask)
        divergence = temperature**2 * mean_per_sample(kl_divergence(log_t, log_s), mask)
        return divergence + _class_correlation(p_t, p_s, mask) + _batch_correlation(p_t, p_s)


def _averaging(p: Tensor, mask: Mask) -> Tensor:
    """Scale rows so that a product of two samples, summed over positions, is the mean over them."""
    kept = keep(ops.ones_like(p[..., :1]), mask)
    count = ops.sum(kept, axis=tuple(range(1, len(p.shape))), keepdims=True)
    return p * kept * ops.rsqrt(ops.maximum(count, 1))


def _class_correlation(teacher: Tensor, student: Tensor, mask: Mask) -> Tensor:
    def products(rows: Tensor) -> Tensor:
        flat = ops.reshape(rows, (-1, rows.shape[-1]))
        return ops.matmul(ops.transpose(flat), flat)

    value = ops.sum(ops.square(products(student) - products(teacher))) / student.shape[-1]
    return spread_over_batch(value, student, mask)


def _batch_correlation(teacher: Tensor, student: Tensor) -> Tensor:
    def products(rows: Tensor) -> Tensor:
        return ops.matmul(flatten(rows), ops.transpose(flatten(rows)))

    return ops.sum(ops.square(products(student) - products(teacher)), axis=-1)
