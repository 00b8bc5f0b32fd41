"""Objectives: one edge from a teacher's signal through a loss to a student's signal."""

from typing import Any, TypeAlias

import keras
from keras import ops

from keras_kd import losses, projections
from keras_kd.distillation.masks import mask_after_projection
from keras_kd.distillation.objective_arguments import (
    LossLike,
    Tap,
    as_tuple,
    check_own_target,
    check_projections,
    check_student_taps,
    check_tap,
    check_taught,
    check_weight,
    default_name,
    learned_layers,
)
from keras_kd.distillation.readings import Reading
from keras_kd.signals.batches import comes_with_data
from keras_kd.tensors import Number, Scheduled, Shape, Tensor, Tensors

Shapes: TypeAlias = Shape | tuple[Shape, ...]  # of one signal, or of several


@keras.saving.register_keras_serializable("keras_kd")
class Objective(keras.layers.Layer):
    """A term of the distillation loss: teacher signal -> loss -> student signal, times a weight.

    Args:
        loss: A loss of `kd.losses`, any Keras loss, its name (`"mse"`), or a function
            `(teacher, student) -> (batch, ...)`.
        student: The tap of the student: `"output"`, `"output/NAME"` for a model with several
            outputs, or a layer path (see `kd.tap_names`). A tuple of taps gives the loss a tuple.
        teacher: The same for the teacher; `"labels"` and `"input"` (or `"input/NAME"`) are taken from the
            data. A weight is tapped as `"LAYER/kernel"`.
        weight: A number, or a function of the training step such as
            `keras.optimizers.schedules.PolynomialDecay(1.0, 1000, 0.0)`.
        project: How to bring the student's signal to the width of the teacher's. `None`: not at
            all. `True`: a linear map, sized from the shapes. Or a layer: one of `kd.projections`, or
            your own. Projections are trained along with the student but are not part of it.
        project_teacher: A layer applied to the teacher's signal, such as a `kd.projections.MemoryBank`
            or a projection that you have trained. It is frozen: its `trainable` flag is set to `False`, and
            all but a `MemoryBank`, which stores signals in training, run with `training=False`.
        mask: A signal `(batch, ...positions)` that is true, or not zero, where a token or pixel
            counts: `"input/padding_mask"`, or a tap of the student. It is combined with the masks
            that Keras propagates.
        from_student: Whether `teacher` is a tap of the student itself, through which no gradient flows: its
            deepest output teaches its earlier ones ("be your own teacher"), and no teacher is needed. Labels
            and inputs are still taken from the data.
        use_sample_weight: If `False`, every sample counts the same in this term, even those whose
            labels have weight zero (unlabeled inputs that have soft targets only), and so does every
            token or pixel.
        taught: What the signals of a `kd.Taught` hold: `"logits"`, or probabilities of a `"softmax"` or a
            `"sigmoid"`. Default: told by their values.
        name: The key in the logs. Default: the name of the loss and, unless it is the output, of the tap.

    Source: `from_student`: Zhang et al. 2019, "Be Your Own Teacher: Improve the Performance of Convolutional
    Neural Networks via Self Distillation", arXiv 1905.08094.

    Raises:
        ValueError: A negative weight, or taps of the wrong kind.

    Examples:
        >>> import keras_kd as kd
        >>> kd.Objective("mse", student="block2", teacher="block4", project=True).name
        'mse_block2'
        >>> soft = kd.losses.SoftTargets(3.0)
        >>> kd.Objective(soft, student="exit1", teacher="output", from_student=True, weight=0.3).own_taps
        ('output',)
    """

    def __init__(
        self,
        loss: LossLike,
        *,
        student: Tap = "output",
        teacher: Tap = "output",
        weight: Scheduled = 1.0,
        project: bool | keras.layers.Layer | None = None,
        project_teacher: keras.layers.Layer | None = None,
        mask: str | None = None,
        from_student: bool = False,
        use_sample_weight: bool = True,
        taught: str | None = None,
        name: str | None = None,
    ) -> None:
        loss = losses.get(loss)
        student, teacher = check_tap(student, "student"), check_tap(teacher, "teacher")
        check_student_taps(as_tuple(student))
        super().__init__(name=name or default_name(loss, as_tuple(student)), dtype="float32")
        self.loss, self.learned = loss, learned_layers(loss)
        self.student_tap, self.teacher_tap = student, teacher
        self.mask = None if mask is None else str(check_tap(mask, "mask"))
        self.from_student = bool(from_student)
        check_own_target(as_tuple(teacher), self.from_student)
        self.weight = check_weight(weight)
        check_projections(project, project_teacher)
        self.project, self.project_teacher = project or None, project_teacher
        if project_teacher is not None:
            project_teacher.trainable = False
        self.use_sample_weight, self.taught = bool(use_sample_weight), check_taught(taught)
        self.projection: keras.layers.Layer | None = None
        self.of_student = Reading(student, loss.student_signals[1])
        self.of_teacher = Reading(teacher, loss.teacher_signals[1])

    @property
    def student_taps(self) -> tuple[str, ...]:
        """The student taps that the loss reads, as a tuple."""
        return self.of_student.taps

    @property
    def teacher_taps(self) -> tuple[str, ...]:
        """The teacher's taps, as a tuple, without what comes with the data."""
        return () if self.from_student else self._taps_of_models

    @property
    def own_taps(self) -> tuple[str, ...]:
        """The taps of the student itself that its signal is compared with, as a tuple."""
        return self._taps_of_models if self.from_student else ()

    @property
    def data_taps(self) -> tuple[str, ...]:
        """The taps that the loss reads from the data, not counting the mask."""
        return tuple(tap for tap in self.target_taps if comes_with_data(tap))

    @property
    def target_taps(self) -> tuple[str, ...]:
        """The taps, of the teacher and the data, that the student's signal is compared with, in order."""
        return self.of_teacher.taps

    @property
    def _taps_of_models(self) -> tuple[str, ...]:
        return tuple(tap for tap in self.target_taps if not comes_with_data(tap))

    def undoes(self, side: str) -> tuple[str, ...]:
        """Which activations, of `"softmax"` and `"sigmoid"`, the loss reads the logits behind, for a side."""
        projection = self.project if side == "student" else self.project_teacher
        return ("sigmoid",) if isinstance(projection, projections.TwoClasses) else self.loss.undoes

    def build(self, student_shape: Shapes, teacher_shape: Shapes | None = None) -> None:
        """Create the projection for these shapes.

        Args:
            student_shape: A tuple with the batch axis first, or a tuple of them for several taps.
            teacher_shape: The same; what comes with the data is left out.
        """
        if self.projection is None and self.project is not None:
            made = self.project if isinstance(self.project, keras.layers.Layer) else None
            self.projection = made or projections.Linear(name=f"{self.name}_projection")
        if self.projection is not None and hasattr(self.projection, "size_for"):
            self.projection.size_for(teacher_shape)  # even if it is built: another width is an error
        if self.projection is not None and not self.projection.built:
            self.projection(_symbolic(student_shape))  # Keras builds on a symbolic call
        self._shapes = {"student_shape": student_shape, "teacher_shape": teacher_shape}
        self.built = True

    def build_teacher(self, signals: Tensors) -> None:
        """Build `project_teacher` for signals (`keras.KerasTensor`s) if it is not built yet."""
        if self.project_teacher is not None and not self.project_teacher.built:
            self.project_teacher(signals)

    def get_build_config(self) -> dict[str, Any] | None:
        return self._shapes if self.built else None

    def build_from_config(self, config: dict[str, Any]) -> None:
        self.build(**{key: _as_tuples(shape) for key, shape in config.items()})

    def compute(
        self,
        student: dict[str, Tensor],
        teacher: dict[str, Tensor],
        *,
        mask: Tensor | None = None,
        sample_weight: Tensor | None = None,
        step: Tensor | int | None = None,
        training: bool = False,
    ) -> Tensor:
        """The unweighted value of this term, a scalar.

        Args:
            student: `{tap: tensor}`.
            teacher: `{tap: tensor}`, including what comes with the data.
            mask: `(batch, ...positions)`, or `None`.
            sample_weight: `(batch,)`, or `(batch, ...positions)` for a loss made of positions, or `None`.
            step: The training step, for schedules.
            training: Whether projections are trained.
        """
        student_signal = self.of_student.arranged([student[tap] for tap in self.student_taps])
        teacher_signal = self.of_teacher.arranged([teacher[tap] for tap in self.target_taps])
        if self.projection is not None:
            student_signal = self._project(self.projection, student_signal, training)
            mask = mask_after_projection(mask, self.projection, student_signal)
        if self.project_teacher is not None:
            stores = isinstance(self.project_teacher, projections.MemoryBank)
            teacher_signal = self.project_teacher(teacher_signal, training=training and stores)
        weights = sample_weight if self.use_sample_weight else None
        value = self.loss(teacher_signal, student_signal, sample_weight=weights, mask=mask, step=step)
        return ops.cast(value, keras.config.floatx())

    def _project(self, projection: keras.layers.Layer, signal: Tensors, training: bool) -> Tensors:
        if not projection.supports_masking:  # without a copy, Keras would warn that it drops the mask
            signal = keras.tree.map_structure(ops.copy, signal)
        return projection(signal, training=training)

    def weight_at(self, step: Tensor | int | None) -> Number:
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
            **({} if self.taught is None else {"taught": self.taught}),
            **({"from_student": True} if self.from_student else {}),
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


def _as_tuples(shape: object) -> Any:
    return tuple(map(_as_tuples, shape)) if isinstance(shape, (list, tuple)) else shape


def _symbolic(shape: Shapes) -> Tensors:
    if shape and isinstance(shape[0], tuple):
        return tuple(map(_symbolic, shape))
    return keras.KerasTensor(shape, dtype="float32")
