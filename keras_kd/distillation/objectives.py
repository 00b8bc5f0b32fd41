"""Objectives: one edge from a teacher's signal through a loss to a student's signal."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from keras_kd import losses, projections
from keras_kd.losses.samples import fits
from keras_kd.signals.batches import comes_with_data
from keras_kd.signals.tracing import Signal

Tap = str | tuple[str, ...]

_INSTEAD = {
    "sigmoid": "Use kd.losses.BinarySoftTargets() or kd.losses.LogitsMSE(): they read the values before it.",
    "softmax": "Use kd.losses.SoftTargets(), which reads the logits before it.",
}
Weight = float | Callable[[Any], Any]


@keras.saving.register_keras_serializable("keras_kd")
class Objective(keras.layers.Layer):
    """A term of the distillation loss: teacher signal -> loss -> student signal, times a weight.

    Args:
        loss: A loss of `kd.losses`, any Keras loss, its name (`"mse"`), or a function
            `(teacher, student) -> (batch, ...)`.
        student: The tap of the student: `"output"`, `"output/NAME"` for a model with several
            outputs, or a layer path (see `kd.tap_names`). A tuple of taps gives the loss a tuple.
        teacher: The same for the teacher; `"labels"` and `"input"` (or `"input/NAME"`) come with the
            data. A weight is tapped as `"LAYER/kernel"`.
        weight: A number, or a function of the training step such as
            `keras.optimizers.schedules.PolynomialDecay(1.0, 1000, 0.0)`.
        project: How to bring the student's signal to the width of the teacher's. `None`: not at
            all. `True`: a linear map sized from the shapes. Or a layer: one of `kd.projections`, or
            your own. Projections train with the student and are not part of it.
        project_teacher: A layer that the teacher's signal goes through, such as a
            `kd.projections.MemoryBank` or a projection that you trained. It is frozen: it runs
            with `training=False`, and its `trainable` flag is set to `False`.
        mask: A signal `(batch, ...positions)` that is true, or not zero, where a token or pixel
            counts: `"input/padding_mask"`, or a tap of the student. It is joined with the masks
            that Keras carries along.
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
        project_teacher: keras.layers.Layer | None = None,
        mask: str | None = None,
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
        of_data = [tap for tap in _tuple(student) if comes_with_data(tap)]
        if of_data:
            raise ValueError(f"{of_data[0]!r} is not a signal of the student. Give it to `teacher`.")
        self.mask = None if mask is None else str(_check_tap(mask, "mask"))
        self.weight = _check_weight(weight)
        if not (project is None or isinstance(project, (bool, keras.layers.Layer))):
            raise TypeError(f"`project` must be None, True or a layer. Received: {project!r}.")
        if not (project_teacher is None or isinstance(project_teacher, keras.layers.Layer)):
            raise TypeError(f"`project_teacher` must be None or a layer. Received: {project_teacher!r}.")
        self.project = project or None
        self.project_teacher = project_teacher
        if project_teacher is not None:
            project_teacher.trainable = False
        self.use_sample_weight = bool(use_sample_weight)
        self.projection: keras.layers.Layer | None = None

    @property
    def student_taps(self) -> tuple[str, ...]:
        """The taps of the student that the loss reads, as a tuple."""
        return _tuple(self.student_tap)

    @property
    def teacher_taps(self) -> tuple[str, ...]:
        """The taps of the teacher, as a tuple, without what comes with the data."""
        return tuple(tap for tap in _tuple(self.teacher_tap) if not comes_with_data(tap))

    @property
    def data_taps(self) -> tuple[str, ...]:
        """What the loss reads of the data, the mask not counted."""
        return tuple(tap for tap in _tuple(self.teacher_tap) if comes_with_data(tap))

    def build(self, student_shape: Any, teacher_shape: Any = None) -> None:
        """Make the projection for these shapes.

        Args:
            student_shape: A tuple with the batch axis first, or a tuple of them for several taps.
            teacher_shape: The same; what comes with the data is left out.
        """
        if self.projection is None and self.project is not None:
            made = self.project if isinstance(self.project, keras.layers.Layer) else None
            self.projection = made or projections.Linear(name=f"{self.name}_projection")
        if self.projection is not None and hasattr(self.projection, "size_for"):
            self.projection.size_for(teacher_shape)  # also when it is built: for this width, or an error
        if self.projection is not None and not self.projection.built:
            self.projection(_symbolic(student_shape))  # Keras builds on a symbolic call
        self._shapes = {"student_shape": student_shape, "teacher_shape": teacher_shape}
        self.built = True

    def build_teacher(self, signals: Any) -> None:
        """Build `project_teacher` for signals, `keras.KerasTensor`s, if it has not been yet."""
        if self.project_teacher is not None and not self.project_teacher.built:
            self.project_teacher(signals)

    def get_build_config(self) -> dict[str, Any] | None:
        return self._shapes if self.built else None

    def build_from_config(self, config: dict[str, Any]) -> None:
        self.build(**{key: _as_tuples(shape) for key, shape in config.items()})

    def check(self, signals: dict[str, Signal]) -> None:
        """Raise for signals, keyed `"student:TAP"` and `"teacher:TAP"`, that the loss would misread."""
        reads_logits = getattr(self.loss, "reads_logits", False)
        reads_probabilities = getattr(self.loss, "reads_probabilities", False)
        for key, signal in signals.items():
            if signal.given:
                continue
            side, _, tap = key.partition(":")
            what = f"Objective {self.name!r}: the {side}'s {tap!r}"
            if signal.mask and not self.loss.takes_mask:
                raise ValueError(
                    f"{what} carries a padding mask, and {self.loss.name!r} cannot leave out padded tokens. "
                    "Tap a layer after pooling, or give a function that returns one value per token."
                )
            told = side == "student" and getattr(self.loss, "takes_student_logits", False)
            if reads_probabilities and not self.data_taps and signal.activation is None and not told:
                raise ValueError(
                    f"{what} is not a probability (no softmax or sigmoid made it), and {self.loss.name!r} "
                    "takes probabilities: on logits its value is meaningless. Use kd.losses.SoftTargets()."
                )
            undoes = getattr(self.loss, "undoes", ("softmax",))
            if reads_logits and signal.activation and signal.activation not in undoes:
                raise ValueError(
                    f"{what} ends in a {signal.activation}, and {self.loss.name!r} compares "
                    f"{undoes[0]} distributions. {_INSTEAD[signal.activation]}"
                )

    def compute(
        self,
        student: dict[str, Any],
        teacher: dict[str, Any],
        *,
        mask: Any = None,
        sample_weight: Any = None,
        step: Any = None,
        training: bool = False,
    ) -> Any:
        """The unweighted value of this term, a scalar.

        Args:
            student: `{tap: tensor}`.
            teacher: `{tap: tensor}`, with what comes with the data.
            mask: `(batch, ...positions)`, or `None`.
            sample_weight: `(batch,)`, or `None`.
            step: The training step, for schedules.
            training: Whether projections train.
        """
        seen = _like(self.student_tap, [student[tap] for tap in self.student_taps])
        told = _like(self.teacher_tap, [teacher[tap] for tap in _tuple(self.teacher_tap)])
        if self.projection is not None:
            if not self.projection.supports_masking:  # then Keras would warn that it drops the mask
                seen = keras.tree.map_structure(ops.copy, seen)
            seen = self.projection(seen, training=training)
            if (
                mask is not None
                and self.projection.supports_masking
                and not fits(mask, keras.tree.flatten(seen)[0])
            ):
                mask = None  # the projection pooled the tokens, and left the padded ones out
        if self.project_teacher is not None:
            stores = isinstance(self.project_teacher, projections.MemoryBank)
            told = self.project_teacher(told, training=training and stores)
        weights = sample_weight if self.use_sample_weight else None
        value = self.loss(told, seen, sample_weight=weights, mask=mask, step=step)
        return ops.cast(value, keras.config.floatx())

    def weight_at(self, step: Any) -> Any:
        """The weight at a training step, a scalar."""
        return ops.cast(self.weight(step), keras.config.floatx()) if callable(self.weight) else self.weight

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
            "project_teacher": serialize(self.project_teacher) if self.project_teacher else None,
            "mask": self.mask,
            "use_sample_weight": self.use_sample_weight,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Objective":
        config = dict(config)
        for key in ("loss", "weight", "project", "project_teacher"):
            if isinstance(config.get(key), dict):
                config[key] = keras.saving.deserialize_keras_object(config[key])
        for key in ("student", "teacher"):
            config[key] = tuple(config[key]) if isinstance(config[key], list) else config[key]
        return cls(**config)


def as_objectives(given: Sequence[Any]) -> list[Objective]:
    """Objectives from a list of objectives and bare losses; their names must differ."""
    if isinstance(given, (str, Objective, keras.losses.Loss)) or not isinstance(given, Sequence):
        raise TypeError(f"`objectives` must be a list of Objectives or losses. Received: {given!r}.")
    if not given:
        raise ValueError(
            "`objectives` is empty, so there is nothing to distil. Leave it out for Hinton's blend."
        )
    objectives = [o if isinstance(o, Objective) else Objective(o) for o in given]
    names = [objective.name for objective in objectives]
    taken = [name for name in names if names.count(name) > 1 or name in ("loss", "student_loss")]
    if taken:
        raise ValueError(
            f"Objectives are logged by name, and {taken[0]!r} is taken. Give each its own `name`."
        )
    return objectives


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


def _as_tuples(shape: Any) -> Any:
    return tuple(map(_as_tuples, shape)) if isinstance(shape, (list, tuple)) else shape


def _symbolic(shape: Any) -> Any:
    if shape and isinstance(shape[0], tuple):
        return tuple(map(_symbolic, shape))
    return keras.KerasTensor(shape, dtype="float32")


def logits_of(tensor: Any, activation: str | None) -> Any:
    """Undo a softmax or sigmoid: the logits themselves where Keras kept them, else from the probabilities.

    Logarithms of a softmax are the logits up to a number for each row. That number is lost; the mean
    of the row is taken for it, so that rows are centred.
    """
    if activation is None:
        return tensor
    if hasattr(tensor, "_keras_logits"):
        return tensor._keras_logits
    tiny = 1e-7 if ops.dtype(tensor) == "float16" else 1e-37
    log = ops.log(ops.maximum(tensor, tiny))
    if activation == "softmax":
        return log - ops.mean(log, axis=-1, keepdims=True)
    return log - ops.log(ops.maximum(1 - tensor, tiny))
