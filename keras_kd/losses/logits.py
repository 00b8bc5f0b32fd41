"""Losses that read outputs: what the teacher says about each class.

They take logits, last axis classes. A `Distiller` turns the outputs of a model that ends in a
softmax back into logits before these losses see them. Axes between the batch and the classes
(pixels, tokens) are averaged, so every loss gives one value per sample.
"""

from numbers import Real
from typing import Any

import keras
from keras import ops

from keras_kd.losses.samples import mean_per_sample, require_same_shape


@keras.saving.register_keras_serializable("keras_kd")
class SoftTargets(keras.losses.Loss):
    """Kullback-Leibler divergence between softened class distributions (Hinton's distillation).

    `T^2 * sum_k p_t (log p_t - log p_s)` with `p = softmax(z / T)`: the sum over classes, the mean
    over the batch. The factor `T^2` keeps the gradient's size independent of the temperature. For
    large `T` it approaches logit regression, `||z_s - z_t||^2 / (2 K)` for centred logits.

    Source: Hinton, Vinyals, Dean 2015, "Distilling the Knowledge in a Neural Network",
    arXiv 1503.02531; the default temperature 4 is that of the CRD benchmark (arXiv 1910.10699).
    `standardize=True` is logit standardization, Sun et al. 2024, arXiv 2403.01427 (there: `T=2`,
    weight 9). Code bases that divide by the number of classes too (PyTorch's `reduction="mean"`)
    report this value divided by `K`.

    Args:
        temperature: `T > 0`.
        standardize: Give each row of logits mean 0 and standard deviation 1 (the unbiased one,
            divisor `K - 1`, plus 1e-7, as in the reference) before the temperature is applied. The
            value then ignores the scale and offset of either model's logits.

    Shapes:
        teacher, student: `(batch, ..., classes)` logits, two classes or more. Result: `(batch,)`.

    Examples:
        >>> import numpy as np
        >>> import keras_kd as kd
        >>> teacher, student = np.array([[4.0, 0.0]]), np.array([[0.0, 4.0]])
        >>> round(float(kd.losses.SoftTargets(temperature=1.0)(teacher, student)), 4)
        3.8561
    """

    reads_logits = True

    def __init__(
        self,
        temperature: float = 4.0,
        standardize: bool = False,
        reduction: str | None = "sum_over_batch_size",
        name: str = "soft_targets",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        given: Any = temperature  # mypy does not count float as a Real
        if not (isinstance(given, Real) and given > 0):  # type: ignore[operator]
            raise ValueError(f"`temperature` must be a positive number. Received: {given!r}.")
        self.temperature = float(temperature)
        self.standardize = bool(standardize)

    def call(self, teacher: Any, student: Any) -> Any:
        require_same_shape(self, teacher, student)
        require_classes(self, student)
        teacher = ops.stop_gradient(teacher)
        if self.standardize:
            teacher, student = _standardize(teacher), _standardize(student)
        log_teacher = ops.log_softmax(teacher / self.temperature)
        log_student = ops.log_softmax(student / self.temperature)
        return self.temperature**2 * mean_per_sample(kl_divergence(log_teacher, log_student))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "temperature": self.temperature,
            "standardize": self.standardize,
        }


def kl_divergence(log_p: Any, log_q: Any) -> Any:
    """`KL(p || q)` over the last axis, from logarithms of distributions.

    At high temperatures `p` and `q` nearly agree and the terms of `sum p (log p - log q)` cancel:
    in float32 two digits are left at T = 1000. The terms of `sum p d - p + q`, with
    `d = log p - log q`, have the same sum, are never negative, and do not cancel.
    """
    d, p = log_p - log_q, ops.exp(log_p)
    near = ops.abs(d) < 0.5
    x = ops.where(near, d, 0.0)
    # exp(-x) - 1 + x by its series, which for |x| < 0.5 is exact to float32
    series = x * x * (1 / 2 - x * (1 / 6 - x * (1 / 24 - x * (1 / 120 - x * (1 / 720 - x / 5040)))))
    return ops.sum(ops.where(near, p * series, p * (d - 1) + ops.exp(log_q)), axis=-1)


def _standardize(logits: Any) -> Any:
    classes = logits.shape[-1]
    centred = logits - ops.mean(logits, axis=-1, keepdims=True)
    variance = ops.sum(ops.square(centred), axis=-1, keepdims=True) / (classes - 1)
    # sqrt has an infinite gradient at 0, which a row of equal logits would turn into NaN.
    flat = variance == 0
    deviation = ops.where(flat, 0.0, ops.sqrt(ops.where(flat, 1.0, variance)))
    return centred / (deviation + 1e-7)


@keras.saving.register_keras_serializable("keras_kd")
class HardTargets(keras.losses.Loss):
    """Cross-entropy against the class that the teacher ranks first (hard-label distillation).

    `-log softmax(z_s)[argmax z_t]`, the mean over the batch.

    Source: Touvron et al. 2021, DeiT, arXiv 2012.12877 (there with weight 1/2 beside the true labels).

    Shapes:
        teacher, student: `(batch, ..., classes)` logits, two classes or more. Result: `(batch,)`.

    Examples:
        >>> import numpy as np
        >>> import keras_kd as kd
        >>> teacher, student = np.array([[4.0, 0.0]]), np.array([[0.0, 0.0]])
        >>> round(float(kd.losses.HardTargets()(teacher, student)), 4)
        0.6931
    """

    reads_logits = True

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str = "hard_targets",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def call(self, teacher: Any, student: Any) -> Any:
        require_same_shape(self, teacher, student)
        require_classes(self, student)
        labels = ops.argmax(ops.stop_gradient(teacher), axis=-1)
        return mean_per_sample(ops.sparse_categorical_crossentropy(labels, student, from_logits=True))


@keras.saving.register_keras_serializable("keras_kd")
class LogitsMSE(keras.losses.Loss):
    """Mean squared difference of the logits.

    `mean_k (z_s - z_t)^2`, the mean over the batch: the mean over all elements, as most code bases
    report it. Ba and Caruana's value, the sum over classes halved, is this times `K / 2`.

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

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str = "logits_mse",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def call(self, teacher: Any, student: Any) -> Any:
        require_same_shape(self, teacher, student)
        return mean_per_sample(ops.square(student - ops.stop_gradient(teacher)))


def require_classes(loss: keras.losses.Loss, logits: Any) -> None:
    """Refuse a single output unit: its softmax is 1 whatever the model says."""
    if logits.shape[-1] == 1:
        raise ValueError(
            f"{type(loss).__name__} compares distributions over two or more classes, and the outputs have "
            "1 unit. Give both models two output units, or use kd.losses.LogitsMSE()."
        )
