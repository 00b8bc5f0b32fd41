"""The base class of all losses here: a Keras loss that also takes a mask and a training step."""

import inspect
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_kd.keras_internals import reduced
from keras_kd.loss_names import snake_case
from keras_kd.losses.inputs import (
    Mask,
    Signal,
    Step,
    convert,
    describe,
    has_parts,
    join_masks,
    masks_of,
    split_sample_weight,
)
from keras_kd.losses.samples import fits, mean_per_sample, shape_per_sample
from keras_kd.tensors import Number, Scheduled, Tensor


class SignalLoss(keras.losses.Loss):
    """Base class of the losses here, and of custom losses that need a mask or a schedule.

    A subclass defines `call(teacher, student)`, which returns one value per sample. `call` may have more
    parameters, each of which may be `None`: `mask`, the padding mask; `position_weight`, the weights of
    tokens or pixels, which are rejected without it; and `step`, the training step. Arguments of `__init__`
    that are stored in attributes of the same name form its configuration.

    Attributes:
        reads_logits: Whether it compares logits. A `Distiller` then undoes the softmax or sigmoid that a
            signal ends in.
        undoes: Which of the two it undoes, `"softmax"`, `"sigmoid"` or both; a signal that ends in
            the other one is rejected.
        takes_suppressed: Whether the teacher's logits may be minus infinity, for classes without probability.
            For other losses that read logits, a `Distiller` takes a probability of 0 for a very low one.
        reads_probabilities: Whether it compares probabilities, as Keras's cross-entropies and
            divergences do. A `Distiller` then rejects a signal that does not end in a softmax or sigmoid.
        takes_student_logits: Whether the student's signal is nevertheless logits, because the loss was
            created with `from_logits=True`.
        reads_labels: Whether the last of the teacher's signals may be the labels, which keep their dtype.
        teacher_signals: Minimum and maximum number of the teacher's signals, by default 1 and 1. A loss
            that reads a tuple declares it here.
        student_signals: The same for the student.
        reads: A description of these signals, for the error about a wrong number of them.

    Args:
        reduction: As in `keras.losses.Loss`.
        name: Its key in the logs. Default: the class name in snake case.
        dtype: The dtype of its value. It also computes in this dtype, unless it is narrower than float32:
            squares, norms and sums need the range and precision of float32. Default:
            float32 (`keras.config.floatx()`).

    Examples:
        >>> import numpy as np
        >>> import keras
        >>> import keras_kd as kd
        >>> @keras.saving.register_keras_serializable("examples")
        ... class Gap(kd.losses.SignalLoss):
        ...     def __init__(self, power=2.0, **kwargs):
        ...         super().__init__(**kwargs)
        ...         self.power = power
        ...     def call(self, teacher, student):
        ...         return keras.ops.mean(keras.ops.abs(student - teacher) ** self.power, axis=-1)
        >>> float(Gap()(np.zeros((2, 3)), np.full((2, 3), 2.0)))
        4.0
        >>> Gap().get_config()["power"]
        2.0
    """

    reads_logits = False
    undoes: tuple[str, ...] = ("softmax",)
    takes_suppressed = False
    reads_probabilities = False
    takes_student_logits = False
    reads_labels = False
    teacher_signals: tuple[int, float] = (1, 1)
    student_signals: tuple[int, float] = (1, 1)
    reads = "one signal of the teacher and one of the student, so several layers need an objective each"

    def __init__(
        self,
        *,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: str | keras.DTypePolicy | None = None,
    ) -> None:
        super().__init__(name=name or snake_case(type(self).__name__), reduction=reduction, dtype=dtype)

    @property
    def takes_mask(self) -> bool:
        """Whether `call` has a parameter `mask`."""
        return "mask" in inspect.signature(self.call).parameters

    @property
    def takes_position_weight(self) -> bool:
        """Whether `call` has a parameter `position_weight`."""
        return "position_weight" in inspect.signature(self.call).parameters

    @property
    def compute_dtype(self) -> str:
        """The dtype of the signals that `call` gets."""
        return "float32" if self.dtype in ("float16", "bfloat16") else self.dtype

    def __call__(
        self,
        y_true: Signal,
        y_pred: Signal,
        sample_weight: Tensor | None = None,
        mask: Mask = None,
        step: Step = None,
    ) -> Tensor:
        """Compare the signals, apply sample weights and reduce.

        Args:
            y_true: The teacher's signal, or a tuple of them.
            y_pred: The student's.
            sample_weight: `(batch,)` or `(batch, 1)`; or, for a loss that is made of positions,
                `(batch, ...positions)`. Those of a larger map are average-pooled.
            mask: `(batch, ...positions)`, true where a position counts. It is combined with the
                masks that Keras attached to the signals.
            step: The training step, for arguments that are schedules.

        Raises:
            ValueError: A wrong number of signals; a mask or weights per token for a loss that takes none; a
                schedule without a step.
        """
        self.require_signals(y_true, y_pred)
        masks = [*([] if mask is None else [mask]), *masks_of(y_true), *masks_of(y_pred)]
        if masks and not self.takes_mask:
            raise ValueError(
                f"{self.name!r} cannot leave out padded positions, and a signal carries a padding mask. "
                "Tap a layer after pooling, or one before the mask is made."
            )
        per_sample, per_position = split_sample_weight(sample_weight, self.compute_dtype)
        if per_position is not None and not self.takes_position_weight:
            raise ValueError(self._no_positions_to_weigh(per_position))
        with keras.name_scope(self.name):
            teacher = convert(y_true, self.compute_dtype, labels_last=self.reads_labels)
            student = convert(y_pred, self.compute_dtype)
            mask = join_masks(masks)
            given = {"mask": mask, "position_weight": per_position, "step": step}
            values = call_with_accepted(self.call, teacher, student, **given)
            if per_position is not None and self.reduction == "mean_with_sample_weight":
                values, per_sample = _unweighted(values, per_position, mask)
            return ops.cast(reduced(values, per_sample, self.reduction, self.compute_dtype), self.dtype)

    def _no_positions_to_weigh(self, weights: Tensor) -> str:
        leave_out = " To leave out tokens or pixels, give them as `mask`." if self.takes_mask else ""
        return (
            f"{self.name!r} is not made of one value for each token or pixel, so it takes one weight per "
            f"sample, {shape_per_sample(weights)}. Received the shape {tuple(weights.shape)}. "
            f"In an objective, use_sample_weight=False exempts it.{leave_out}"
        )

    def require_signals(self, teacher: Signal, student: Signal) -> None:
        """Raise a `ValueError` unless each model has as many signals as the class declares."""
        if not (has_parts(teacher, *self.teacher_signals) and has_parts(student, *self.student_signals)):
            raise ValueError(
                f"{type(self).__name__} reads {self.reads}. "
                f"Received: teacher {describe(teacher)}, student {describe(student)}."
            )

    def at(self, value: Scheduled, step: Step) -> Number:
        """The value of a number or a schedule at a training step."""
        if not callable(value):
            return value
        if step is None:
            raise ValueError(
                f"{self.name!r} was given a schedule, so it needs the training step. `fit` passes it; "
                "elsewhere call compute_objectives(..., step=optimizer.iterations), or "
                "loss(teacher, student, step=...)."
            )
        return ops.cast(value(step), self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        names = [p.name for p in inspect.signature(type(self).__init__).parameters.values()]
        own = {n: _serialized(getattr(self, n)) for n in names if n in self.__dict__}
        return {**own, **super().get_config(), "dtype": self.dtype}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "SignalLoss":
        return cls(**{key: _deserialized(value) for key, value in config.items()})


def call_with_accepted(
    call: Callable[..., Tensor], teacher: Signal, student: Signal, **options: Tensor | int | None
) -> Tensor:
    """Call with the two signals and the options that `call` has parameters for."""
    names = inspect.signature(call).parameters
    return call(teacher, student, **{name: value for name, value in options.items() if name in names})


def _unweighted(values: Tensor, weights: Tensor, mask: Mask) -> tuple[Tensor, Tensor]:
    """Weighted values as values and one weight per sample, the mean over its positions."""
    known = mask if mask is not None and fits(mask, weights) else None
    per_sample = mean_per_sample(weights, known)
    return values / ops.where(per_sample > 0, per_sample, 1.0), per_sample


def _serialized(value: object) -> object:
    value = list(value) if isinstance(value, tuple) else value
    return keras.saving.serialize_keras_object(value) if callable(value) else value


def _deserialized(value: Any) -> Any:
    is_object = isinstance(value, dict) and "class_name" in value
    return keras.saving.deserialize_keras_object(value) if is_object else value
