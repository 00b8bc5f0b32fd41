"""What the Distillers of both Kerases share: a teacher hidden from Keras, and attributes that are fixed."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from keras_kd.distillation.answers import Answers
from keras_kd.distillation.compiled_losses import reads_labels
from keras_kd.distillation.data_checks import (
    check_arrays,
    find_arrays,
    require_labels_of_weights,
    warn_of_endless_data,
)
from keras_kd.distillation.distilled import Distilled, Kept
from keras_kd.distillation.divergence import Diagnosis
from keras_kd.distillation.evaluation import EvaluatedStudent
from keras_kd.distillation.label_checks import (
    check_held_out_labels,
    check_labels,
    check_loss,
    check_objective_labels,
)
from keras_kd.distillation.logit_checks import warn_of_misread_outputs
from keras_kd.distillation.model_checks import check_teacher
from keras_kd.distillation.model_inputs import take_inputs
from keras_kd.distillation.model_pair import ModelPair
from keras_kd.distillation.objectives import Objective
from keras_kd.distillation.preprocessing import Preprocess, check_integers
from keras_kd.distillation.wiring import Wiring
from keras_kd.keras_internals import all_layers
from keras_kd.parts import Keys
from keras_kd.signals import batches
from keras_kd.signals.batches import Batch
from keras_kd.tensors import Scheduled, Shape, Tensor, Tensors
from keras_kd.training.first_batch import FirstBatch, check_numbers

_FIXED = "student", "temperature", "alpha", "objectives", "student_inputs"


class BaseDistiller(EvaluatedStudent):
    """The part of a Distiller that is the same for Keras 3 and tf_keras models.

    A subclass is also a model. Its constructor sets the attributes below and then calls `_set_teacher`, which
    connects the models and fixes the attributes.
    """

    objectives: Sequence[Objective]
    temperature: Scheduled
    alpha: float
    _blend: bool
    student_inputs: Keys
    if TYPE_CHECKING:  # provided by `__getattr__`, Keras and the subclasses
        teacher: keras.Model | None
        teacher_preprocess: Preprocess | None
        built: bool
        __call__: Callable[..., Tensors]
        make_train_function: Callable[[], object]
        require_compiled: Callable[[str], None]  # raises unless `compile` was called before a method
        validate_first_batch: Callable[[Tensors], None]
        _wiring: Wiring
        _answers: Answers
        _first_batch: FirstBatch

    def _set_teacher(self, teacher: keras.Model | None, preprocess: Preprocess | None) -> None:
        """Set the model that teaches the student, in place of any earlier one.

        A callback may do so while `fit` runs: the next step has the new teacher.
        """
        if teacher is not None:
            check_teacher(self.student, teacher)
        models = ModelPair(self.student, self, teacher, preprocess, self.student_inputs)
        if isinstance(self, keras.Model):  # a teacher on the host cannot be compiled by XLA
            layers = all_layers(teacher) if isinstance(teacher, keras.Model) else []
            self.supports_jit = all(layer.supports_jit for layer in layers)
        wiring = Wiring(models, self.objectives)
        wiring.connect_early()
        # Not with `setattr`: Keras would track, train and save them.
        self.__dict__.update(_wiring=wiring, _answers=Answers(self.student, teacher))
        self._adopt_projections()
        self.__dict__.setdefault("_first_batch", FirstBatch(self, self.validate_first_batch))
        self._first_batch.renew()  # the train function was traced with the old teacher

    # The teacher is kept in an object that Keras does not look into: a property would be found by
    # `dir()` and saved, an attribute would be tracked and trained.
    def __setattr__(self, name: str, value: Any) -> None:
        if name == "teacher":
            self._set_teacher(value, self._wiring.models.preprocess)
        elif name == "teacher_preprocess":
            self._set_teacher(self._wiring.models.teacher, value)
        elif name in _FIXED and "_wiring" in self.__dict__:
            raise AttributeError(
                f"`{name}` is fixed when a Distiller is made. Make a new one, or give a schedule of the step."
            )
        else:
            super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Any:
        if name in ("teacher", "teacher_preprocess") and "_wiring" in self.__dict__:
            return getattr(self._wiring.models, name.removeprefix("teacher_"))
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def batch_of(self, data: object) -> Batch:
        """The batch that a step trains on, of the tensors or specs that Keras passes to it."""
        return batches.unpack(data)

    def build(self, input_shape: Shape) -> None:
        """Do nothing: the student builds itself when it is first called."""
        self.built = True

    def call(self, inputs: Tensors, training: bool | None = None) -> Tensors:
        """The student's outputs."""
        return self.student(take_inputs(self.student, inputs, self.student_inputs), training=training)

    @property
    def prepared(self) -> bool:
        """Whether the projections exist; for some data, their shapes are known only once it runs."""
        return all(objective.built or not objective.project for objective in self.objectives)

    def train_on_batch(
        self, x: Tensors, y: Tensors = None, sample_weight: Tensors = None, **options: Any
    ) -> Any:
        """Train on one batch as Keras's `train_on_batch` does; the first batch is validated first.

        Raises:
            ValueError: Data, signals or labels that would ruin the student; weights without labels, with
                tf_keras.
        """
        self.require_compiled("train_on_batch")
        if not isinstance(self, keras.Model):  # as `fit` does, tf_keras drops weights without labels here
            require_labels_of_weights({"y": y, "sample_weight": sample_weight})
        self.make_train_function()
        if self._first_batch.is_due:
            data = x, y, sample_weight  # Keras's packing would drop weights that come without labels
            self._first_batch.validate(keras.tree.map_structure(batches.as_tensor, data))
        elif self.compiled_with_loss:
            check_labels(y, self.student, self.loss)
        return super().train_on_batch(x, y, sample_weight, **options)  # type: ignore[misc]

    @tf.autograph.experimental.do_not_convert
    def compute_objectives(
        self,
        x: Tensors,
        y: Tensors = None,
        sample_weight: Tensors = None,
        *,
        step: Tensor | int | None = None,
    ) -> Distilled:
        """Run both models on a batch and compute the objectives, for a training loop of your own.

        It needs no `compile`. Call it in a `tf.GradientTape`, add the losses of your own, and apply the
        gradients to `trainable_variables`: the student's and the projections'. Without `objectives`, `loss`
        is the soft half of the blend, `(1 - alpha) * SoftTargets(temperature)`.

        Args:
            x: The inputs, or a `kd.Taught`.
            y: The labels, if an objective reads them.
            sample_weight: As for `train_on_batch`.
            step: The training step, for schedules: `optimizer.iterations`.

        Raises:
            ValueError: Inputs, labels or signals that do not fit; a schedule without a step.

        Examples:
            >>> import keras, numpy as np, tensorflow as tf
            >>> import keras_kd as kd
            >>> teacher = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
            >>> student = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
            >>> distiller, optimizer = kd.Distiller(student, teacher), keras.optimizers.SGD(0.1)
            >>> with tf.GradientTape() as tape:
            ...     distilled = distiller.compute_objectives(np.random.rand(8, 4).astype("float32"))
            >>> variables = distiller.trainable_variables
            >>> steps = optimizer.apply_gradients(zip(tape.gradient(distilled.loss, variables), variables))
            >>> list(distilled.values)
            ['soft_targets']
        """
        batch = self.batch_of(keras.tree.map_structure(batches.as_tensor, (x, y, sample_weight)))
        for objective in self.objectives:
            if step is None and callable(objective.weight):
                raise ValueError(
                    f"The weight of objective {objective.name!r} is a schedule. Give the training step: "
                    "compute_objectives(..., step=optimizer.iterations)."
                )
        with tf.init_scope():  # projections are created outside the graph of this step
            self._prepare(batch)
        if tf.executing_eagerly():
            self._wiring.recognize_teacher(batch, again=True)
            check_objective_labels(self.objectives, batch)
        of_teacher = self._wiring.run_teacher(batch)
        outputs, of_student = self._wiring.run_student(batch.inputs)
        values = {objective.name: Kept() for objective in self.objectives}
        loss = self._wiring.compute_loss(of_student, of_teacher, batch, step, list(values.values()))
        return Distilled(outputs, loss, {name: kept.value for name, kept in values.items()})

    def _check_data(self, arguments: Mapping[str, Any]) -> None:
        """Reject `fit` arguments that are known to be wrong before there is a batch."""
        require_labels_of_weights(arguments)
        check_arrays(find_arrays(arguments))
        self._wiring.expect(arguments.get("x"))
        if isinstance(self, keras.Model):  # tf_keras refuses such data
            warn_of_endless_data(arguments)
        if self.compiled_with_loss:
            check_labels(arguments.get("y"), self.student, self.loss)
            check_held_out_labels(arguments.get("validation_data"), self.student, self.loss)

    def _check_batch(self, batch: Batch) -> None:
        """Reject NaN in the data or from the teacher, and signals and labels that would be misread."""
        check_numbers(batch.inputs, "The data", "Clean the data first.")
        self._wiring.recognize_teacher(batch)
        self._wiring.check_sample_weights(batch)
        if self.teacher is not None:
            check_integers(self.teacher_preprocess, batch.inputs)
        name = "The data's teacher signals" if self.teacher is None else f"The teacher {self.teacher.name!r}"
        teacher = self._wiring.run_teacher(batch)
        advice = "Check the teacher's weights and its preprocessing."
        for tap, value in teacher.raw.items():
            check_numbers(value, f"{name}: {tap!r}", advice, may_suppress=True)
        self._wiring.check_suppressed_classes(teacher, batch)
        check_objective_labels(self.objectives, batch)
        if self.compiled_with_loss:
            check_labels(batch.labels, self.student, self.loss)
            check_loss(self.loss, batch.labels, self.student)
        signals = self._wiring.connection.signals
        warn_of_misread_outputs(self.loss, self._wiring.models, signals.student, batch)
        used = reads_labels(self, self.alpha if self._blend else 1.0, self.objectives)
        self._answers.prepare(self.loss if used else None, signals, self.objectives, batch.labels)

    def _start_fit(self, arguments: Mapping[str, Any]) -> Callable[..., object]:
        """Start counting anew; return what looks at the end of each epoch for what ruins the student."""
        losses = "loss", "student_loss", *(objective.name for objective in self.objectives)
        diagnosis = Diagnosis(lambda: self._wiring, losses, arguments, self.batch_of)
        self._wiring.models.restart_teacher()
        self._answers.restart()
        # A callback may replace the teacher, and with it what is asked about its answers.
        return lambda *epoch: [each.end_epoch(*epoch) for each in (diagnosis, self._answers)]

    def _prepare_for(self, x: object, y: object) -> None:
        """Prepare for the data of `fit`: errors are raised now, and restored files find the projections."""
        specs = batches.find_specs(x, y)
        if specs is not None:
            self._prepare(self.batch_of(specs))

    def _prepare(self, batch: Batch) -> None:
        self._wiring.prepare(batch)
        self.built = self.student.built
        self._adopt_projections()

    def _adopt_projections(self) -> None:
        """Do nothing if Keras finds the projections in the objectives."""
