"""What the Distillers of both Kerases share: a student, a teacher that Keras does not see, objectives."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf
from keras.src.losses.loss import unscale_loss_for_distribution

from keras_kd.distillation.data_checks import (
    check_arrays,
    check_inputs,
    check_labels,
    check_loss,
    sample_weights,
)
from keras_kd.distillation.model_checks import check_teacher
from keras_kd.distillation.objectives import Objective
from keras_kd.distillation.wiring import Wiring
from keras_kd.signals import batches
from keras_kd.signals.tracing import input_spec
from keras_kd.training import train_function
from keras_kd.training.first_batch import check_numbers

_FIXED = "student", "temperature", "alpha", "objectives"


class Distillation:
    """The part of a Distiller that is the same for a model of Keras 3 and of tf_keras.

    The class that mixes it in is a model. It sets `student`, `objectives`, `temperature`, `alpha`, `_blend`
    and `_objective_trackers`, in this order, after `_hold`, and then `teacher`.
    """

    if TYPE_CHECKING:
        student: Any
        teacher: Any
        teacher_preprocess: Callable[[Any], Any] | None
        objectives: list[Objective]
        temperature: float | Callable[[Any], Any]
        alpha: float
        optimizer: Any
        loss: Any
        train_function: Any
        built: bool
        _wiring: Wiring
        _blend: bool
        _looked: bool
        _objective_trackers: list[Any]
        _distribute_strategy: Any

    def _hold(self, student: Any, preprocess: Callable[[Any], Any] | None) -> None:
        self.__dict__["_wiring"] = Wiring(student, self, None, preprocess, [])  # type: ignore[arg-type]

    # The teacher lives in an object that Keras cannot look into: a property would be found by
    # `dir()` and saved, an attribute would be tracked and trained.
    def __setattr__(self, name: str, value: Any) -> None:
        if name == "teacher":
            self._set_teacher(value)
        elif name == "teacher_preprocess":
            self._wiring.preprocess = value
            self._set_teacher(self.teacher)
        elif name in _FIXED and "_objective_trackers" in self.__dict__:
            raise AttributeError(
                f"`{name}` is fixed when a Distiller is made. Make a new one, or give a schedule of the step."
            )
        else:
            super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Any:
        if name in ("teacher", "teacher_preprocess") and "_wiring" in self.__dict__:
            return getattr(self._wiring, name.removeprefix("teacher_"))
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def _set_teacher(self, teacher: Any) -> None:
        if teacher is not None:
            check_teacher(self.student, teacher)
        preprocess = self._wiring.preprocess
        self.__dict__["_wiring"] = Wiring(self.student, self, teacher, preprocess, self.objectives)  # type: ignore[arg-type]
        train_function.discard(self)  # it was traced with the old teacher
        self._looked = False
        spec = input_spec(self.student)
        if spec is None and teacher is not None and self.student.built and preprocess is None:
            spec = input_spec(teacher)  # a subclassed student does not tell; they see the same inputs
        if teacher is not None and spec is not None:
            self._wire(spec)

    def build(self, input_shape: Any) -> None:
        """Nothing to do: the student builds itself when it is first called."""
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """The student's outputs."""
        return self.student(inputs, training=training)

    @property
    def prepared(self) -> bool:
        """Whether the projections are there; some data tells the shapes for them only when it runs."""
        return all(objective.built or not objective.project for objective in self.objectives)

    def _wire(self, inputs: Any, labels: Any = None, said: Any = None) -> None:
        self._wiring.prepare(inputs, labels, said)

    def _prepare(self, data: Any) -> None:
        """Get ready for data like this, tensors or their specs."""
        x, y, _, said = batches.unpack(data)
        check_inputs(self.student, x)
        self._wire(*(keras.tree.map_structure(batches.spec, part) for part in (x, y, said)))
        self.built = self.student.built

    @property
    def _trains_on_labels(self) -> bool:
        """Whether `compile` was given a loss."""
        raise NotImplementedError

    def look_at(self, data: Any) -> None:
        """Refuse a first batch that would spoil the student, before it is trained on."""
        x, y, _, said = batches.unpack(data)
        self._prepare(data)
        check_numbers(x, "The data", "Clean the data first.")
        whose = "The data's teacher signals" if self.teacher is None else f"The teacher {self.teacher.name!r}"
        self._wiring.look_at(said)
        for tap, value in self._wiring.teach(x, said).raw.items():
            check_numbers(value, f"{whose}: {tap!r}", "Check the teacher's weights and its preprocessing.")
        if self._trains_on_labels:
            labels = np.asarray(y) if isinstance(y, tf.Tensor) else y
            check_labels(labels, self.student, self.loss)
            check_loss(self.loss, y, self.student)

    def _look_at_arguments(self, given: dict[str, Any]) -> None:
        """Refuse what `fit` was given, by argument, where it can be known before there is a batch."""
        x, y = given.get("x"), given.get("y")
        arrays = {"x": x, "y": y, "sample_weight": given.get("sample_weight")}
        if isinstance(x, batches.Taught):
            inputs, _, _, said = batches.unpack((x,))
            arrays |= {"x": inputs, "Taught.signals": said}
        held_out = given.get("validation_data")
        if isinstance(held_out, tuple):
            arrays |= {f"validation_data[{i}]": part for i, part in enumerate(held_out)}
        check_arrays(arrays)
        if self._trains_on_labels:
            check_labels(y, self.student, self.loss)
        specs = batches.specs_of(x, y)
        if specs is not None and self._distribute_strategy is None:
            self._prepare(specs)  # errors come now, and restored files find the projections
        if self.teacher is None:
            self._looked = False  # each data set may say something of another kind

    def _distillation_loss(self, seen: Any, told: Any, data: tuple[Any, Any], sample_weight: Any) -> Any:
        total, step = 0.0, self.optimizer.iterations
        samples = batches.samples(data[0])
        for objective, tracker in zip(self.objectives, self._objective_trackers, strict=True):
            weights, counted = sample_weights(objective, sample_weight)
            value = self._wiring.compute(
                objective, seen, told, data, counted, sample_weight=weights, step=step, training=True
            )
            tracker.update_state(unscale_loss_for_distribution(value), sample_weight=samples)
            total += objective.weight_at(step) * value
        return total

    def _share(self, hard: Any) -> Any:
        """What the hard loss counts for."""
        return self.alpha * hard if self._blend else hard


def require_labels(y: Any) -> None:
    """Raise a `ValueError` if there are no labels for the compiled loss."""
    if y is None:
        raise ValueError(
            "compile(loss=...) needs labels, and the data has none. Leave `loss` out of `compile` to "
            "train on the objectives alone."
        )
