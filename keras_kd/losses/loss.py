"""What every loss of this package is: a Keras loss that also takes a mask and a training step."""

import inspect
import re
from collections.abc import Callable
from numbers import Real
from typing import Any

import keras
from keras import ops
from keras.src.backend.common.masking import get_keras_mask  # a traced tensor of JAX has no attributes
from keras.src.losses.loss import reduce_weighted_values

Scheduled = float | Callable[[Any], Any]


class SignalLoss(keras.losses.Loss):
    """The base of the losses here, and of your own where they need a mask or a schedule.

    A subclass defines `call(teacher, student)`, which returns one value per sample. If its `call`
    also names `mask`, it is given the padding mask, or `None`; if it names `step`, the training
    step, or `None`. What `__init__` takes by name and keeps under that name is its configuration.

    Attributes:
        reads_logits: A `Distiller` undoes the softmax or sigmoid of what this loss reads.
        undoes: Which of the two; a signal that ends in the other one is refused.
        reads_labels: The last of the teacher's signals are the labels, which keep their dtype.
        teacher_signals: The least and the greatest number of signals of the teacher; 1 and 1 unless
            told. A loss that reads a tuple says so here.
        student_signals: The same of the student.
        reads: What these are, in words, for the error about any other number.

    Args:
        reduction: As in `keras.losses.Loss`.
        name: Its key in the logs. Default: the class name in snake case.
        dtype: What its value is in, and what it computes in unless that is narrower than float32, whose
            range and digits squares, norms and sums need. Default: float32 (`keras.config.floatx()`).

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
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name or snake_case(type(self).__name__), reduction=reduction, dtype=dtype)

    @property
    def takes_mask(self) -> bool:
        """Whether `call` names `mask`."""
        return "mask" in inspect.signature(self.call).parameters

    @property
    def compute_dtype(self) -> str:
        """The dtype of the signals that `call` is given."""
        return "float32" if self.dtype in ("float16", "bfloat16") else self.dtype

    def __call__(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None, step: Any = None
    ) -> Any:
        """Compare, weigh and reduce.

        Args:
            y_true: The teacher's signal, or a tuple of them.
            y_pred: The student's.
            sample_weight: `(batch,)` or `(batch, 1)`.
            mask: `(batch, ...positions)`, true where a position counts. It is joined with the
                masks that Keras attached to the signals.
            step: The training step, for arguments that are schedules.

        Raises:
            ValueError: Another number of signals than it reads; a mask for a loss that takes none; a
                weight per token; a schedule without a step.
        """
        self.require_signals(y_true, y_pred)
        masks = [m for m in (mask, *_keras_masks(y_true), *_keras_masks(y_pred)) if m is not None]
        if masks and not self.takes_mask:
            raise ValueError(
                f"{self.name!r} cannot leave out padded positions, and a signal carries a padding mask. "
                "Tap a layer after pooling, or one before the mask is made."
            )
        if sample_weight is not None:
            _check_weights(self.name, sample_weight)
        with keras.name_scope(self.name):
            teacher = self._converted(y_true, self.reads_labels)
            student = self._converted(y_pred, False)
            given = {"mask": join_masks(masks), "step": step}
            names = inspect.signature(self.call).parameters
            values = self.call(teacher, student, **{k: v for k, v in given.items() if k in names})
            value = reduce_weighted_values(
                values, sample_weight=sample_weight, reduction=self.reduction, dtype=self.compute_dtype
            )
            return ops.cast(value, self.dtype)

    def require_signals(self, teacher: Any, student: Any) -> None:
        """Raise a `ValueError` unless there are as many signals of each model as the class declares."""
        if not (_fits(teacher, *self.teacher_signals) and _fits(student, *self.student_signals)):
            raise ValueError(
                f"{type(self).__name__} reads {self.reads}. "
                f"Received: teacher {_described(teacher)}, student {_described(student)}."
            )

    def _converted(self, signal: Any, labels_last: bool) -> Any:
        """Tensors in the dtype of the computation, but for labels: float32 has no 2^24 + 1."""
        if labels_last and isinstance(signal, (tuple, list)):
            return (*self._converted(tuple(signal[:-1]), False), ops.convert_to_tensor(signal[-1]))
        return keras.tree.map_structure(lambda x: _to_dtype(x, self.compute_dtype), signal)

    def at(self, value: Scheduled, step: Any) -> Any:
        """What a number or a schedule is at a training step."""
        if not callable(value):
            return value
        if step is None:
            raise ValueError(
                f"{self.name!r} was given a schedule, so it needs the training step. A Distiller gives it; "
                "elsewhere call loss(teacher, student, step=...)."
            )
        return ops.cast(value(step), self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        names = [p.name for p in inspect.signature(type(self).__init__).parameters.values()]
        own = {n: _plain(getattr(self, n)) for n in names if n in self.__dict__}
        return {**own, **super().get_config(), "dtype": self.dtype}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "SignalLoss":
        return cls(**{key: _restored(value) for key, value in config.items()})


def snake_case(name: str) -> str:
    """`"SoftTargets"` to `"soft_targets"`, `"KDLoss"` to `"kd_loss"`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def positive(name: str, value: Any, *, schedule: bool = False) -> Any:
    """A finite number above zero, as a float; or, if allowed, a schedule of the step.

    Raises:
        ValueError: Anything else.
    """
    if schedule and callable(value):
        return value
    if not (isinstance(value, Real) and 0 < float(value) < float("inf")):
        also = " or a schedule of the step" if schedule else ""
        raise ValueError(f"`{name}` must be a positive number{also}. Received: {value!r}.")
    return float(value)


def not_negative(name: str, value: Any) -> float:
    """A finite number of at least zero, as a float.

    Raises:
        ValueError: Anything else.
    """
    if not (isinstance(value, Real) and 0 <= float(value) < float("inf")):
        raise ValueError(f"`{name}` must be a number of at least 0. Received: {value!r}.")
    return float(value)


def _fits(signal: Any, least: int, most: float) -> bool:
    if not keras.tree.is_nested(signal):
        return least == 1
    # A tuple of one is what a loss without a limit was meant to be given, and elsewhere a slip.
    return max(least, 1 if most == float("inf") else 2) <= len(signal) <= most


def _described(signal: Any) -> str:
    if not keras.tree.is_nested(signal):
        return str(tuple(getattr(signal, "shape", ())))
    parts = [str(tuple(part.shape)) if hasattr(part, "shape") else type(part).__name__ for part in signal]
    return f"a {type(signal).__name__} of {len(parts)}: {', '.join(parts)}"


def _to_dtype(value: Any, dtype: str) -> Any:
    value = ops.convert_to_tensor(value)
    # A tensor of its own, so that the caller's keeps its mask and this one has none.
    return ops.cast(value, dtype) if ops.dtype(value) != dtype else value


def _keras_masks(signal: Any) -> list[Any]:
    return [get_keras_mask(tensor) for tensor in keras.tree.flatten(signal)]


def join_masks(masks: list[Any]) -> Any:
    """One boolean mask, true where all are, or `None` for none; a `ValueError` if their shapes differ."""
    joined = None
    for mask in masks:
        mask = ops.cast(mask, "bool")
        if joined is not None and tuple(joined.shape[1:]) != tuple(mask.shape[1:]):
            raise ValueError(
                f"The signals carry masks of two shapes: {tuple(joined.shape)} and {tuple(mask.shape)}. "
                "Tap layers whose tokens are the same ones."
            )
        joined = mask if joined is None else ops.logical_and(joined, mask)
    return joined


def _check_weights(name: str, sample_weight: Any) -> None:
    shape = tuple(getattr(sample_weight, "shape", ()))
    if len(shape) > 2 or (len(shape) == 2 and shape[1] not in (None, 1)):
        raise ValueError(
            f"{name!r} gives one value per sample, so it takes one weight per sample. Received weights of "
            f"the shape {shape}. To leave out tokens or pixels, give them as `mask`."
        )


def _plain(value: Any) -> Any:
    value = list(value) if isinstance(value, tuple) else value
    return keras.saving.serialize_keras_object(value) if callable(value) else value


def _restored(value: Any) -> Any:
    is_object = isinstance(value, dict) and "class_name" in value
    return keras.saving.deserialize_keras_object(value) if is_object else value
