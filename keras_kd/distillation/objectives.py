"""Objectives: one edge from a teacher's signal through a loss to a student's signal."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_kd import losses
from keras_kd.distillation.tracing import Signal

Tap = str | tuple[str, ...]
Weight = float | Callable[[Any], Any]


@keras.saving.register_keras_serializable("keras_kd")
class Objective(keras.layers.Layer):
    """A term of the distillation loss: teacher signal -> loss -> student signal, times a weight.

    Args:
        loss: A loss of `kd.losses`, any Keras loss, its name (`"mse"`), or a function
            `(teacher, student) -> (batch, ...)`.
        student: The tap of the student: `"output"`, `"output/NAME"` for a model with several
            outputs, or a layer path (see `kd.tap_names`). A tuple of taps gives the loss a tuple.
        teacher: The same for the teacher; `"labels"` are the labels.
        weight: A number, or a function of the training step such as
            `keras.optimizers.schedules.PolynomialDecay(1.0, 1000, 0.0)`.
        project: How to bring the student's signal to the width of the teacher's. `None`: not at
            all. `True`: a dense layer or 1x1 convolution sized from the shapes. Or a layer of your
            own. Projections train with the student and are not part of it.
        use_sample_weight: `False` makes this term count every sample alike, also those whose
            labels have weight zero (unlabelled inputs that carry soft targets only).
        name: The key in the logs. Default: the loss's name and, unless it is the output, the tap.

    Raises:
        ValueError: A negative weight, or taps of the wrong kind.

    Examples:
        >>> import keras_kd as kd
        >>> kd.Objective("mse", student="block2", teacher="block4", project=True).name
        'mse_block2'
    """

    def __init__(
        self,
        loss: Any,
        *,
        student: Tap = "output",
        teacher: Tap = "output",
        weight: Weight = 1.0,
        project: bool | keras.layers.Layer | None = None,
        use_sample_weight: bool = True,
        name: str | None = None,
    ) -> None:
        loss = losses.get(loss)
        student, teacher = _check_tap(student, "student"), _check_tap(teacher, "teacher")
        taps = [t for t in _tuple(student) if t != "output"]
        super().__init__(
            name=name or "_".join([loss.name, *taps]).replace("/", "_").replace(":", "_"), dtype="float32"
        )
        self.loss = loss
        self.student_tap, self.teacher_tap = student, teacher
        if "labels" in _tuple(student):
            raise ValueError("The labels are not a signal of the student. Give them as teacher='labels'.")
        self.weight = _check_weight(weight)
        if not (project is None or isinstance(project, (bool, keras.layers.Layer))):
            raise TypeError(f"`project` must be None, True or a layer. Received: {project!r}.")
        if project and isinstance(student, tuple):
            raise ValueError("`project` fits one student tap, and this objective reads a tuple of taps.")
        self.project = project or None
        self.use_sample_weight = bool(use_sample_weight)
        self.projection: keras.layers.Layer | None = None

    @property
    def student_taps(self) -> tuple[str, ...]:
        """The taps of the student, as a tuple."""
        return _tuple(self.student_tap)

    @property
    def teacher_taps(self) -> tuple[str, ...]:
        """The taps of the teacher, as a tuple, without the labels."""
        return tuple(tap for tap in _tuple(self.teacher_tap) if tap != "labels")

    @property
    def reads_labels(self) -> bool:
        return "labels" in _tuple(self.teacher_tap)

    def build(self, student_shape: Any, teacher_shape: Any = None) -> None:
        """Make the projection for these shapes, given as tuples with the batch axis first."""
        if self.projection is None and self.project is not None:
            self.projection = self.project if isinstance(self.project, keras.layers.Layer) else None
            if self.projection is None:
                self.projection = _linear(student_shape, teacher_shape, name=f"{self.name}_projection")
        if self.projection is not None and not self.projection.built:
            self.projection(
                keras.KerasTensor(student_shape, dtype="float32")
            )  # Keras builds on a symbolic call
        self._shapes = {"student_shape": student_shape, "teacher_shape": teacher_shape}
        self.built = True

    def get_build_config(self) -> dict[str, Any] | None:
        return self._shapes if self.built else None

    def build_from_config(self, config: dict[str, Any]) -> None:
        shapes = {key: shape and tuple(shape) for key, shape in config.items()}
        self.build(**shapes)

    def check(self, signals: dict[str, Signal]) -> None:
        """Raise for signals, keyed `"student:TAP"` and `"teacher:TAP"`, that the loss would misread."""
        reads_logits = getattr(self.loss, "reads_logits", False)
        reads_probabilities = getattr(self.loss, "reads_probabilities", False)
        for key, signal in signals.items():
            side, _, tap = key.partition(":")
            what = f"Objective {self.name!r}: the {side}'s {tap!r}"
            if signal.masked and side == "student":
                raise ValueError(
                    f"{what} carries a padding mask, and padded tokens cannot be left out of an objective "
                    "yet. Tap a layer after pooling."
                )
            told = side == "student" and getattr(self.loss, "takes_student_logits", False)
            if reads_probabilities and not self.reads_labels and signal.activation is None and not told:
                raise ValueError(
                    f"{what} is not a probability (no softmax or sigmoid made it), and {self.loss.name!r} "
                    "takes probabilities: on logits its value is meaningless. Use kd.losses.SoftTargets()."
                )
            if (
                reads_logits
                and signal.activation == "sigmoid"
                and not isinstance(self.loss, losses.LogitsMSE)
            ):
                raise ValueError(
                    f"{what} ends in a sigmoid, and {self.loss.name!r} compares softmax distributions. "
                    "Use kd.losses.LogitsMSE(), which reads the values before the sigmoid."
                )

    def compute(
        self, student: dict[str, Any], teacher: dict[str, Any], labels: Any = None, sample_weight: Any = None
    ) -> Any:
        """The unweighted value of this term, a scalar.

        Args:
            student: `{tap: tensor}`.
            teacher: `{tap: tensor}`.
            labels: The labels, for `teacher="labels"`.
            sample_weight: `(batch,)`, or `None`.
        """
        seen = [student[tap] for tap in self.student_taps]
        if self.projection is not None:
            seen = [self.projection(seen[0])]
        told = [labels if tap == "labels" else teacher[tap] for tap in _tuple(self.teacher_tap)]
        weights = sample_weight if self.use_sample_weight else None
        return self.loss(_like(self.teacher_tap, told), _like(self.student_tap, seen), sample_weight=weights)

    def weight_at(self, step: Any) -> Any:
        """The weight at a training step, a scalar."""
        return self.weight(step) if callable(self.weight) else self.weight

    def get_config(self) -> dict[str, Any]:
        serialize = keras.saving.serialize_keras_object
        return {
            "loss": serialize(self.loss),
            "student": self.student_tap,
            "teacher": self.teacher_tap,
            "weight": serialize(self.weight) if callable(self.weight) else self.weight,
            "project": serialize(self.project)
            if isinstance(self.project, keras.layers.Layer)
            else self.project,
            "use_sample_weight": self.use_sample_weight,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Objective":
        config = dict(config)
        for key in ("loss", "weight", "project"):
            if isinstance(config[key], dict):
                config[key] = keras.saving.deserialize_keras_object(config[key])
        for key in ("student", "teacher"):
            config[key] = tuple(config[key]) if isinstance(config[key], list) else config[key]
        return cls(**config)


def _tuple(tap: Tap) -> tuple[str, ...]:
    return tap if isinstance(tap, tuple) else (tap,)


def _like(tap: Tap, values: list[Any]) -> Any:
    return values[0] if isinstance(tap, str) else tuple(values)


def _check_tap(tap: Any, side: str) -> Tap:
    if isinstance(tap, list):
        tap = tuple(tap)
    if not _tuple(tap) or not all(isinstance(name, str) and name for name in _tuple(tap)):
        raise TypeError(f"`{side}` must be a tap name or a tuple of them. Received: {tap!r}.")
    return tap


def _check_weight(weight: Any) -> Weight:
    if callable(weight):
        return weight
    try:
        number = float(weight)
    except (TypeError, ValueError):
        raise TypeError(
            f"`weight` must be a number or a function of the step. Received: {weight!r}."
        ) from None
    if not 0 <= number < float("inf"):
        raise ValueError(f"`weight` must be a finite number of at least 0. Received: {weight!r}.")
    return number


def _linear(student: tuple[Any, ...], teacher: tuple[Any, ...] | None, name: str) -> keras.layers.Layer:
    if teacher is None:
        raise ValueError("project=True needs one teacher signal to take the width from.")
    if len(student) != len(teacher):
        raise ValueError(
            f"project=True brings channels together, not ranks: the student's signal has the shape "
            f"{student}, the teacher's {teacher}. Tap layers of one rank, or pass a layer as `project`."
        )
    if student[-1] is None or teacher[-1] is None:
        raise ValueError(f"project=True needs known widths. Received: student {student}, teacher {teacher}.")
    convolutions = {4: keras.layers.Conv2D, 5: keras.layers.Conv3D}
    if len(student) in convolutions:
        return convolutions[len(student)](teacher[-1], 1, name=name, dtype="float32")
    return keras.layers.Dense(teacher[-1], name=name, dtype="float32")


def logits_of(tensor: Any, activation: str | None) -> Any:
    """Undo a softmax or sigmoid: the logits themselves where Keras kept them, else their logarithm."""
    if activation is None:
        return tensor
    if hasattr(tensor, "_keras_logits"):
        return tensor._keras_logits
    tiny = 1e-7 if ops.dtype(tensor) == "float16" else 1e-37
    log = ops.log(ops.maximum(tensor, tiny))
    return log if activation == "softmax" else log - ops.log(ops.maximum(1 - tensor, tiny))
