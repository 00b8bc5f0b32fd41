"""Losses that read activations: what the teacher computes on the way.

Signals are channels last. Where the spatial sizes of two maps differ, the larger map is
average-pooled to the smaller one (`match_maps`), as the reference implementations do.
"""

import re
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_kd.losses.samples import mean_per_sample, require_same_shape

# Keras losses that take probabilities; on logits or features they clip, silently.
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
class Elementwise(keras.losses.Loss):
    """Any loss of Keras that compares two signals element by element, as one value per sample.

    Keras's elementwise losses average the last axis only, so that sample weights do not fit on
    feature maps. This averages every axis but the batch: with `"mse"` it is the mean over all
    elements, FitNets' hint loss (Romero et al. 2015, arXiv 1412.6550, which halves it).

    Args:
        loss: A name such as `"mse"`, `"mae"`, `"huber"` or `"cosine_similarity"`, a
            `keras.losses.Loss`, or a function `(teacher, student) -> (batch, ...)`.

    Shapes:
        teacher, student: one shape, `(batch, ...)`, after pooling maps to the smaller spatial
        size. A function of your own may take what it likes. Result: `(batch,)`.

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
        loss: str | keras.losses.Loss | Callable[[Any, Any], Any] = "mse",
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        inner = keras.losses.get(loss)
        if not callable(inner):
            raise ValueError(f"Expected a loss of Keras or a function. Received: {loss!r}.")
        given = loss if isinstance(loss, str) else _name(inner)
        # A lambda's name, "<lambda>", is no valid TensorFlow scope.
        given = re.sub(r"\W", "", given) or "elementwise"
        super().__init__(name=name or given, reduction=reduction, dtype=dtype)
        self.loss = inner

    @property
    def of_keras(self) -> bool:
        """Whether the inner loss is one of Keras's own, which broadcast what does not fit."""
        return (getattr(self.loss, "__module__", None) or "").split(".")[0] == "keras"

    @property
    def reads_probabilities(self) -> bool:
        """Whether the inner loss is a cross-entropy or a divergence of Keras."""
        kind = type(self.loss) if isinstance(self.loss, keras.losses.Loss) else self.loss
        return self.of_keras and getattr(kind, "__name__", "") in _PROBABILITY_LOSSES

    @property
    def takes_student_logits(self) -> bool:
        """Whether the inner loss was told that the student's signal is logits."""
        given = self.loss.get_config() if isinstance(self.loss, keras.losses.Loss) else {}
        return bool(given.get("from_logits", False))

    def call(self, teacher: Any, student: Any) -> Any:
        if self.of_keras and not _reads_labels(self.loss):
            teacher, student = match_maps(teacher, student)
            require_same_shape(self, teacher, student)
        if self.of_keras and len(student.shape) == 1:  # Keras would take the batch for features
            teacher, student = ops.expand_dims(teacher, -1), ops.expand_dims(student, -1)
        teacher = ops.stop_gradient(teacher)
        compare = self.loss.call if isinstance(self.loss, keras.losses.Loss) else self.loss
        values = compare(teacher, student)
        if len(values.shape) == 0:
            raise ValueError(
                f"{self.name!r} returned a scalar, so sample weights would be lost. Return one value per "
                "sample: average every axis but the first."
            )
        return mean_per_sample(values)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "loss": keras.losses.serialize(self.loss)}


def _name(loss: Any) -> str:
    return str(getattr(loss, "name", None) or getattr(loss, "__name__", ""))


def _reads_labels(loss: Any) -> bool:
    return "sparse" in _name(loss)


@keras.saving.register_keras_serializable("keras_kd")
class AttentionTransfer(keras.losses.Loss):
    """Squared distance between spatial attention maps.

    A map is `a = mean_c |F|^p`, flattened and divided by its L2 norm; the loss is the mean over
    positions of `(a_s - a_t)^2`, the mean over the batch. Numbers of channels may differ.

    Source: Zagoruyko, Komodakis 2017, "Paying More Attention to Attention", arXiv 1612.03928. The
    usual weight, 1000 in the CRD benchmark (arXiv 1910.10699), is for this reduction, the mean
    over all elements of the maps.

    Args:
        p: The power, at least 1; 2 in the paper.

    Shapes:
        teacher, student: `(batch, ...positions, channels)`: maps, volumes or token sequences.
        Maps of different spatial size are pooled to the smaller. Result: `(batch,)`.

    Examples:
        >>> import numpy as np
        >>> import keras_kd as kd
        >>> teacher, student = np.ones((2, 4, 4, 8)), np.ones((2, 4, 4, 3))
        >>> float(kd.losses.AttentionTransfer()(teacher, student))
        0.0
    """

    def __init__(
        self,
        p: float = 2.0,
        reduction: str | None = "sum_over_batch_size",
        name: str = "attention_transfer",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        if not p >= 1:  # below 1 the gradient is infinite where a ReLU is zero
            raise ValueError(f"`p` must be at least 1. Received: p={p!r}.")
        self.p = float(p)

    def call(self, teacher: Any, student: Any) -> Any:
        for signal in (teacher, student):
            if len(signal.shape) < 3:
                raise ValueError(
                    "AttentionTransfer reads maps (batch, ...positions, channels). Received the shape "
                    f"{tuple(signal.shape)}, which has no positions: tap a layer before pooling."
                )
        teacher, student = match_maps(ops.stop_gradient(teacher), student)
        teacher, student = self._attention(teacher), self._attention(student)
        require_same_shape(self, teacher, student)
        return ops.mean(ops.square(student - teacher), axis=-1)

    def _attention(self, maps: Any) -> Any:
        energy = ops.square(maps) if self.p == 2 else ops.power(ops.abs(maps), self.p)
        flat = flatten(ops.mean(energy, axis=-1))
        return l2_normalize(flat)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "p": self.p}


def flatten(values: Any) -> Any:
    """`(batch, ...)` to `(batch, everything else)`."""
    return ops.reshape(values, (ops.shape(values)[0], -1)) if len(values.shape) != 2 else values


def l2_normalize(rows: Any, epsilon: float = 1e-12) -> Any:
    """Divide rows by their L2 norm, at least `epsilon`; a zero row stays zero, with a finite gradient."""
    square = ops.sum(ops.square(rows), axis=-1, keepdims=True)
    return rows * ops.rsqrt(ops.maximum(square, epsilon**2))


def match_maps(teacher: Any, student: Any) -> tuple[Any, Any]:
    """Average-pool the larger of two maps to the spatial size of the smaller, axis by axis.

    Only maps and volumes (rank 4 and 5) are pooled: positions of a sequence have no scale. An axis
    that does not divide is pooled over windows that overlap, as adaptive pooling does elsewhere.
    """
    if len(teacher.shape) != len(student.shape) or len(student.shape) not in (4, 5):
        return teacher, student
    for axis in range(1, len(student.shape) - 1):
        t, s = teacher.shape[axis], student.shape[axis]
        if t is not None and s is not None and t > s:
            teacher = _pool_axis(teacher, axis, s)
        elif t is not None and s is not None and s > t:
            student = _pool_axis(student, axis, t)
    return teacher, student


def _pool_axis(maps: Any, axis: int, size: int) -> Any:
    length = maps.shape[axis]
    windows = [(i * length // size, -(-(i + 1) * length // size)) for i in range(size)]
    if length % size:
        parts = [
            ops.mean(ops.take(maps, list(range(a, b)), axis=axis), axis=axis, keepdims=True)
            for a, b in windows
        ]
        return ops.concatenate(parts, axis=axis)
    shape = ops.shape(maps)
    split = (*shape[:axis], size, length // size, *shape[axis + 1 :])
    return ops.mean(ops.reshape(maps, split), axis=axis + 1)
