"""Losses that compare activations position by position."""

import math
import re
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_kd.losses.inputs import Mask, PositionWeight
from keras_kd.losses.loss import SignalLoss
from keras_kd.losses.pooling import match_maps
from keras_kd.losses.samples import mean_per_sample, require_same_shape
from keras_kd.tensors import Tensor

# Keras losses that expect probabilities; they silently clip logits and features.
_PROBABILITY_LOSSES = {
    "kl_divergence",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "KLDivergence",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
}


@keras.saving.register_keras_serializable("keras_kd")
class Elementwise(SignalLoss):
    """Any elementwise Keras loss, averaged to one value per sample.

    Keras's elementwise losses average over the last axis only, so sample weights do not match the
    shape of feature maps. This averages over every axis but the batch.

    Formula: `mean((F_s - F_t)^2)` for `"mse"`, averaged over all elements.

    Reads: one feature each; the student's is projected to the teacher's width (`project=True`).

    Defaults: `"mse"`, FitNets' hint. The CRD benchmark gives it weight 100.

    Equals: RepDistiller's `HintLoss`, the mean squared error over all elements. FitNets' paper writes
    half the sum of the squares instead of their mean.

    Source: Romero et al. 2015, "FitNets: Hints for Thin Deep Nets", arXiv 1412.6550.

    Args:
        loss: A name such as `"mse"`, `"mae"`, `"huber"` or `"cosine_similarity"`, a
            `keras.losses.Loss`, or a function `(teacher, student) -> (batch, ...)`.

    Shapes:
        teacher, student: the same shape, `(batch, ...)`, after pooling maps to the smaller spatial
        size. A custom function may take any shapes. Result: `(batch,)`.

    Raises:
        ValueError: An unknown name; shapes that differ; a function that returns a scalar.

    Examples:
        >>> import numpy as np
        >>> import keras_kd as kd
        >>> teacher, student = np.ones((2, 4, 4, 3)), np.zeros((2, 4, 4, 3))
        >>> float(kd.losses.Elementwise("mse")(teacher, student))
        1.0
    """

    def __init__(
        self,
        loss: str | keras.losses.Loss | Callable[..., Tensor] = "mse",
        *,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: str | keras.DTypePolicy | None = None,
    ) -> None:
        inner = keras.losses.get(loss)
        if not callable(inner):
            raise ValueError(f"Expected a Keras loss or a function. Received: {loss!r}.")
        if isinstance(inner, keras.losses.Loss) and reduction == "sum_over_batch_size":
            reduction = inner.reduction
        # A lambda's name, "<lambda>", is not a valid TensorFlow scope name.
        inner_name = re.sub(r"\W", "", loss if isinstance(loss, str) else _name_of(inner))
        super().__init__(
            name=name or inner_name or "elementwise",
            reduction=reduction,
            dtype=dtype or getattr(inner, "dtype", None),
        )
        self.loss = inner
        self._declare_what_it_reads(inner)

    def _declare_what_it_reads(self, inner: keras.losses.Loss | Callable[..., Tensor]) -> None:
        kind: object = inner
        if isinstance(inner, keras.losses.Loss):
            kind = type(inner)
            self.reads_logits = getattr(inner, "reads_logits", False)
            self.undoes = getattr(inner, "undoes", self.undoes)
        if not self.of_keras:  # a custom function may read any number of signals
            self.teacher_signals = self.student_signals = (1, math.inf)
            return
        self.reads_probabilities = getattr(kind, "__name__", "") in _PROBABILITY_LOSSES
        if isinstance(inner, keras.losses.Loss):
            self.takes_student_logits = bool(inner.get_config().get("from_logits", False))

    @property
    def of_keras(self) -> bool:
        """Whether the inner loss is one of Keras's own, which broadcast signals of different shapes."""
        return (getattr(self.loss, "__module__", None) or "").split(".")[0] == "keras"

    def call(
        self, teacher: Tensor, student: Tensor, mask: Mask = None, position_weight: PositionWeight = None
    ) -> Tensor:
        if self.of_keras and not _reads_labels(self.loss):
            teacher, student = match_maps(teacher, student, mask)
            require_same_shape(self, teacher, student)
        if self.of_keras and len(student.shape) == 1:  # Keras would mistake the batch axis for features
            teacher, student = ops.expand_dims(teacher, -1), ops.expand_dims(student, -1)
        teacher = keras.tree.map_structure(ops.stop_gradient, teacher)  # a function may take a tuple
        compare = self.loss.call if isinstance(self.loss, keras.losses.Loss) else self.loss
        values = compare(teacher, student)
        if len(values.shape) == 0:
            raise ValueError(
                f"{self.name!r} returned a scalar, so sample weights would be lost. Return one value per "
                "sample: average every axis but the first."
            )
        if mask is not None and len(values.shape) < len(mask.shape):
            raise ValueError(
                f"{self.name!r} gives one value per sample, so padded tokens cannot be left out. Return one "
                "value per token, or tap a layer after pooling."
            )
        return mean_per_sample(values, mask, position_weight)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "loss": keras.losses.serialize(self.loss)}


def _name_of(loss: Callable[..., Tensor]) -> str:
    return str(getattr(loss, "name", None) or getattr(loss, "__name__", ""))


def _reads_labels(loss: Callable[..., Tensor]) -> bool:
    return "sparse" in _name_of(loss)
